/** Links over WebSocket, both sides of them. */
export { dialWebSocket, type WebSocketDialOptions } from './websocket-dial.ts';
export { listenWebSocket, type WebSocketListenOptions } from './websocket-listen.ts';

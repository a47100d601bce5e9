/** Links over WebSocket, both sides of them. */
export { dialWebSocket } from './websocket-dial.ts';
export { listenWebSocket, type WebSocketListenOptions } from './websocket-listen.ts';

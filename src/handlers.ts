/** The door `pincer/handlers`: ready-made handlers for nodes. */
export { toolExecution } from './handlers/tool-execution.ts';
export { type ToolHandlerOptions, toolHandler } from './handlers/tool-handler.ts';

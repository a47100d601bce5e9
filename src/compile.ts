/** The compiler’s door: xstate charts as tables and closures, for any app that runs many of them. */
export { compile } from './compile/compile.ts';
export { CompileRefusal } from './compile/refusal.ts';

/** What every chart sets: an endless `always` becomes an error of that one actor instead of a hang of the process. */
export const maxIterations = 100;

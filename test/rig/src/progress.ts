/** Takes one line for each step of long work. */
export type Progress = (message: string) => void;

/** Prints each step with the seconds that have passed since the start. */
export function createProgress(write: (line: string) => void = (line) => process.stderr.write(`${line}\n`)): Progress {
  const startedAtMs = Date.now();
  return (message) => write(`[${((Date.now() - startedAtMs) / 1000).toFixed(1).padStart(6)} s] ${message}`);
}

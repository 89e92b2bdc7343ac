/**
 * Declares resources without the stacks that Pulumi's SDK remembers with each of its promises. A release has some ninety of them, and to
 * translate their frames through source maps takes a third of the time of a large program. They are shown where Pulumi looks for
 * promises of its own that never end; an error of a registration still names the resource, and an update its place in the program.
 */
export function withoutStacks<Declared>(declare: () => Declared): Declared {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return declare();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

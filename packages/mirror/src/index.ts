export { mirrorOptionsSchema, type MirrorOptions, type MirrorSettings } from "./options.ts";
export { addReports } from "./report/add-reports.ts";
export { describeDifferences, differenceRate, type DifferenceRate } from "./report/describe-differences.ts";
export { mirrorReportSchema, type Difference, type LatencyPair, type MirrorReport } from "./report/report.ts";
export { mirrorServerText } from "./server-text.ts";

import { distinctDifferences } from "./distinct-differences.ts";
import type { MirrorReport } from "./report.ts";

/**
 * Sums the reports of several mirrors, such as the Pods of one Deployment. The same difference is counted together, and samples
 * are all kept. No reports make a report of zeros.
 */
export function addReports(reports: readonly MirrorReport[]): MirrorReport {
  const differences = distinctDifferences();
  for (const difference of reports.flatMap((report) => report.differences)) differences.add(difference);
  const sum = (field: CountedField) => reports.reduce((total, report) => total + report[field], 0);
  return {
    seen: sum("seen"),
    mirrored: sum("mirrored"),
    compared: sum("compared"),
    differed: sum("differed"),
    notCompared: sum("notCompared"),
    shadowFailed: sum("shadowFailed"),
    primaryFailed: sum("primaryFailed"),
    samples: reports.flatMap((report) => report.samples),
    differences: differences.list(),
  };
}

type CountedField = Exclude<keyof MirrorReport, "samples" | "differences">;

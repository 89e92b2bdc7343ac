import { describe, expect, it } from "vitest";
import { addReports } from "./add-reports.ts";
import { describeDifferences, differenceRate } from "./describe-differences.ts";
import { maximumDifferences } from "./distinct-differences.ts";
import { mirrorReportSchema, type Difference, type MirrorReport } from "./report.ts";

const price: Difference = {
  method: "GET",
  path: "/items",
  what: "body",
  at: "$.price",
  primary: "number",
  shadow: "string",
  count: 3,
};

function report(fields: Partial<MirrorReport> = {}): MirrorReport {
  return { ...addReports([]), ...fields };
}

describe("reports added up", () => {
  it("are zeros when there are none", () => {
    expect(addReports([])).toEqual({
      seen: 0,
      mirrored: 0,
      compared: 0,
      differed: 0,
      notCompared: 0,
      shadowFailed: 0,
      primaryFailed: 0,
      samples: [],
      differences: [],
    });
  });

  it("sum every count, keep every sample, and count the same difference together", () => {
    const counts = {
      seen: 1,
      mirrored: 2,
      compared: 3,
      differed: 4,
      notCompared: 5,
      shadowFailed: 6,
      primaryFailed: 7,
    };
    const sample = { primaryMs: 1, shadowMs: 2 };
    const one = report({ ...counts, samples: [sample], differences: [price] });
    const other = report({
      ...counts,
      samples: [sample],
      differences: [
        { ...price, count: 2 },
        { ...price, at: "$.a" },
      ],
    });

    const sum = addReports([one, other]);
    expect(sum).toEqual({
      seen: 2,
      mirrored: 4,
      compared: 6,
      differed: 8,
      notCompared: 10,
      shadowFailed: 12,
      primaryFailed: 14,
      samples: [sample, sample],
      differences: [
        { ...price, count: 5 },
        { ...price, at: "$.a" },
      ],
    });
    expect(mirrorReportSchema.parse(JSON.parse(JSON.stringify(sum)))).toEqual(sum);
  });

  it("keep a bounded number of differences, and still count the known ones", () => {
    const many = Array.from({ length: 2 * maximumDifferences }, (_each, index) => ({ ...price, path: `/${index}` }));
    const { differences } = addReports([report({ differences: many }), report({ differences: many })]);
    expect(differences).toHaveLength(maximumDifferences);
    expect(differences.every(({ count }) => count === 6)).toBe(true);
  });
});

describe("the rate of differences", () => {
  it("counts an answer that the shadow failed to give as one that differs", () => {
    expect(differenceRate({ compared: 6, differed: 1, shadowFailed: 2 })).toEqual({
      judged: 8,
      different: 3,
      percent: 37.5,
    });
  });

  it("is unknown when nothing was judged", () => {
    expect(differenceRate(report()).percent).toBeUndefined();
  });
});

describe("a report in words", () => {
  it("says that nothing was compared", () => {
    expect(describeDifferences(report({ seen: 5, mirrored: 1 }))).toBe(
      "no answers were compared (5 requests seen, 1 chosen)",
    );
  });

  it("says that nothing differed", () => {
    expect(describeDifferences(report({ compared: 20 }))).toBe("0 of 20 answers differed (0 %)");
  });

  it("names the most frequent differences first", () => {
    const differences: Difference[] = [
      { method: "GET", path: "/a", what: "header", at: "location", primary: "present", shadow: "absent", count: 1 },
      price,
      { method: "GET", path: "/b", what: "status", primary: "200", shadow: "500", count: 2 },
      { method: "GET", path: "/c", what: "missing", shadow: "timeout", count: 4 },
      { method: "GET", path: "/d", what: "body", primary: "bytes", shadow: "bytes", count: 1 },
      { method: "GET", path: "/e", what: "body", primary: "bytes", shadow: "empty", count: 1 },
    ];
    expect(describeDifferences(report({ compared: 296, differed: 8, shadowFailed: 4, differences }))).toBe(
      "12 of 300 answers differed (4 %): GET /c was not answered (timeout), 4 times; " +
        "GET /items differs in its body at $.price (string instead of number), 3 times; " +
        "GET /b answered 500 instead of 200, 2 times; GET /a differs in header location (absent instead of present), once; " +
        "GET /d differs in its body, once; and 1 more",
    );
  });
});

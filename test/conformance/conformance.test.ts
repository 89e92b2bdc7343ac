import { format, resolveConfig } from "prettier";
import { expect, it } from "vitest";
import { cases as analysis } from "./analysis-assessment.cases.ts";
import type { Accounting, Row } from "./case-accounting.ts";
import { cases as plans } from "./flagger-step-planner.cases.ts";
import { cases as comparison } from "./kayenta-judge.cases.ts";
import { cases as sizes } from "./replica-counts.cases.ts";
import { cases as decisions } from "./rollout-decisions.cases.ts";

/*
 * Runs the cases of every file, each of which declares its tests as it is imported, and then holds docs/conformance.md to what became
 * of them: with one account changed, the page is out of date and the last test fails. `vitest run --project conformance -u` writes it.
 */

const accounts: readonly Accounting[] = [decisions, sizes, analysis, plans, comparison];

const topics: Readonly<Record<string, string>> = {
  "rollout-decisions.json": "decisions of a rollout",
  "replica-counts.json": "numbers of Pods",
  "analysis-assessment.json": "analysis",
  "flagger-step-planner.json": "step plans",
  "kayenta-judge.json": "comparison of two versions",
};

const standings = ["agreed", "differs", "not applicable"] as const;

function countsOf(rows: readonly Row[]): readonly number[] {
  return [rows.length, ...standings.map((standing) => rows.filter((row) => row.standing === standing).length)];
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
  const numeric = rows[0]?.map((cell) => (typeof cell === "number" ? "---:" : "---")) ?? head.map(() => "---");
  return [line(head), line(numeric), ...rows.map(line)].join("\n");
}

function linkTo({ file }: Accounting, path: string): string {
  const [name = "", lineNumber] = path.split(":");
  const anchor = lineNumber === undefined ? "" : `#L${lineNumber}`;
  const short = name.split("/").at(-1) ?? name;
  return `[${short}](https://github.com/${file.source.project}/blob/${file.source.commit}/${name}${anchor})`;
}

function shown(value: unknown): string {
  return value === undefined ? "nothing yet" : `\`${JSON.stringify(value)}\``;
}

function sectionOf(account: Accounting): string {
  const { file, rows } = account;
  const all = file.groups.flatMap(({ cases }) => cases);
  const inOrder = all.flatMap(({ id }) => rows.filter((row) => row.id === id));
  const sourceOf = (id: string) => linkTo(account, all.find((candidate) => candidate.id === id)?.source ?? "");
  const groups = file.groups.map(({ group, cases }) => {
    const ids = new Set(cases.map(({ id }) => id));
    return [`\`${group}\``, ...countsOf(rows.filter(({ id }) => ids.has(id)))];
  });
  const differences = inOrder.flatMap((row) =>
    row.standing === "differs"
      ? [[`${row.id}, ${sourceOf(row.id)}`, shown(row.theirs), shown(row.ours), row.reason]]
      : [],
  );
  const reasons = Map.groupBy(
    inOrder.flatMap((row) => (row.standing === "not applicable" ? [row] : [])),
    ({ reason }) => reason,
  );
  return [
    `## ${file.source.project.split("/").at(-1)}: ${topics[file.name]}`,
    `[${file.source.project}](https://github.com/${file.source.project}/tree/${file.source.commit}) at \`${file.source.commit.slice(0, 12)}\` of ${file.source.commitDate}; cases in \`test/conformance/cases/${file.name}\`.`,
    table(["Group", "Cases", "Agreed", "Differs", "Not applicable"], groups),
    ...(differences.length > 0
      ? ["### Differences", table(["Case", "There", "Here", "Why"], differences)]
      : ["There is no difference."]),
    ...(reasons.size > 0
      ? [
          "### Not applicable",
          table(
            ["Why", "Cases"],
            [...reasons].map(([reason, of]) => [reason, of.map(({ id }) => id).join(", ")]),
          ),
        ]
      : []),
  ].join("\n\n");
}

function documentOf(): string {
  const rivals = Map.groupBy(accounts, ({ file }) => file.source.project);
  const overview = [...rivals].map(([project, of]) => [
    project,
    `\`${of[0]?.file.source.commit.slice(0, 12)}\``,
    ...countsOf(of.flatMap(({ rows }) => rows)),
  ]);
  return [
    "# Conformance",
    "Whoever comes from Argo Rollouts, Flagger or Kayenta should find that Bascule decides as those do, or read here why it does not. Their own tests say what they decide. What those tests assert was written down as data, and each case is run against Bascule: against the pure function that answers the question, or as a whole release by the real engine, with a simulated router and a simulated clock.",
    "A case **agrees**, or it **differs** on purpose and has a reason, or it is **not applicable**, because it is about something that Bascule does not have. A test holds that every case is accounted for once, that a difference is exactly the one that is listed, and that this page is what the tests found. It is written by `pnpm exec vitest run --project conformance -u`.",
    table(["Rival", "Commit", "Cases", "Agreed", "Differs", "Not applicable"], overview),
    "The cases are under the licence of their projects, the Apache License 2.0; see [where they come from](../test/conformance/cases/README.md).",
    ...accounts.map(sectionOf),
  ].join("\n\n");
}

it("docs/conformance.md is what the tests found", async () => {
  const path = new URL("../../docs/conformance.md", import.meta.url).pathname;
  const options = await resolveConfig(path);
  await expect(await format(documentOf(), { ...options, parser: "markdown" })).toMatchFileSnapshot(path);
});

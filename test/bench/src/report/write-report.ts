import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format } from "prettier";
import { allowedRatio, tablesOf, type BenchmarkResult } from "./markdown.ts";
import { pictureOf } from "./picture.ts";

const page = fileURLToPath(new URL("../../../../docs/benchmark.md", import.meta.url));
const picture = fileURLToPath(new URL("../../../../docs/benchmark.svg", import.meta.url));

/** Writes the whole result into the documentation. */
export async function writeReport(result: BenchmarkResult): Promise<void> {
  await writeFile(picture, `${pictureOf(result)}\n`);
  await writeFile(page, await format(pageOf(result), { parser: "markdown", printWidth: 120 }));
}

function pageOf(result: BenchmarkResult): string {
  return `# Benchmark

What Bascule costs, and how that grows. \`pnpm bench\` measures it and writes this page; what it does in detail, and how to read the
numbers, is in [test/bench](../test/bench/README.md). The limit: the preview of the largest stack takes no more than ${allowedRatio} times what
it takes without Bascule, and everything grows linearly.

![Time by number of releases and of targets](benchmark.svg)

${tablesOf(result)}
`;
}

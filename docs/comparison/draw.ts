import { writeFileSync } from "node:fs";
import { drawComparison } from "./picture.ts";

writeFileSync(new URL("comparison.svg", import.meta.url), drawComparison());

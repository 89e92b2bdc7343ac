import { writeFileSync } from "node:fs";
import { drawPictures } from "./pictures.ts";

for (const [name, content] of Object.entries(drawPictures())) {
  writeFileSync(new URL(`../strategies/${name}`, import.meta.url), content);
}

import { drawRelease } from "./release-timeline.ts";
import { drawRings } from "./ring-timeline.ts";
import * as scenes from "./scenes.ts";

/** The pictures of the pages in docs/strategies, by the name of their file. */
export function drawPictures(): Readonly<Record<string, string>> {
  return {
    "direct.svg": drawRelease("Direct: everything at once, then the proof", scenes.direct),
    "blue-green.svg": drawRelease("Blue/green: proved without traffic, then one switch", scenes.blueGreen),
    "blue-green-approved.svg": drawRelease("Blue/green: the switch waits for a later commit", scenes.blueGreenApproved),
    "progressive.svg": drawRelease("Progressive: 5, 25, 50, 100 %", scenes.progressive),
    "progressive-pods.svg": drawRelease(
      "Progressive by the number of Pods: 8 of them stand for 100 %",
      scenes.progressiveByPods,
    ),
    "progressive-paused.svg": drawRelease(
      "Progressive: beta users first, everybody once a later commit approves it",
      scenes.progressivePaused,
    ),
    "parallel.svg": drawRelease("Parallel: copies and compared answers, then one switch", scenes.parallel),
    "parallel-data.svg": drawRelease(
      "Parallel with data: kept in step for days, then a moment in which nobody can write",
      scenes.parallelWithData,
    ),
    "rings.svg": drawRings("Rings: a pilot, a quarter, the rest", scenes.ringsThatPass),
    "rings-back.svg": drawRings(
      "Rings: two hosts of the last ring fail, one more than it may; all go back",
      scenes.ringsThatGoBack,
    ),
  };
}

import { describeOwnCluster } from "./cluster/own-cluster.ts";
import { startCluster, stopCluster } from "./cluster/start-cluster.ts";
import { createProgress } from "./progress.ts";

const progress = createProgress();
const [command, ...flags] = process.argv.slice(2);

switch (command) {
  case "up": {
    const cluster = await startCluster({ progress, keep: flags.includes("--keep") });
    console.log(`${cluster.description}\nexport KUBECONFIG=${cluster.kubeconfigPath}`);
    if (!flags.includes("--keep")) await cluster.stop();
    break;
  }
  case "down":
    await stopCluster({ progress });
    break;
  case "status":
    console.log(await describeOwnCluster());
    break;
  default:
    console.error(`Unknown command ${JSON.stringify(command)}: use up [--keep], down or status.`);
    process.exitCode = 2;
}

import { parentPort } from "node:worker_threads";
import { serveHttp } from "../src/server/backend.fake.ts";

const answer = JSON.stringify({
  items: Array.from({ length: 40 }, (_item, id) => ({
    id,
    name: `item ${id}`,
    price: id * 1.5,
    updatedAt: Date.now(),
  })),
});

// In a thread of its own, so that it does not take its turn with those whose times are measured.
const { url } = await serveHttp((_request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": answer.length }).end(answer);
});
parentPort?.postMessage({ url, bytes: answer.length });

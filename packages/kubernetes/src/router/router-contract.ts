import { BasculeError, type Marker, type Traffic, type VersionId, type Weights } from "@bascule/core";
import { RouterConflict } from "@bascule/engine";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { contains, type ObjectRouter } from "./object-router.ts";
import { routerAbilities } from "./router-abilities.ts";
import {
  expressible,
  inexpressible,
  markerOf,
  openScene,
  soon,
  successorOf,
  type RouterScene,
  type RouterWorld,
  type StoredView,
} from "./router-scene.fake.ts";
import type { RouterSubject } from "./router-subjects.fake.ts";

// All that is needed to run the contract from elsewhere.
export { connectApi, type Api } from "../api.ts";
export { expressible, openScene, soon, type RouterWorld } from "./router-scene.fake.ts";
export { openFakeWorld } from "./router-world.fake.ts";
export {
  completeGatewayClass,
  gatewayPath,
  podsOf,
  subjects,
  type Place,
  type RouterSubject,
} from "./router-subjects.fake.ts";

/** Long enough for a machine that has much else to do. */
const options = { timeout: 120_000 };

/** What every router promises, whatever splits the traffic. Declares the tests. */
export function routerContract(subject: RouterSubject, openWorld: () => Promise<RouterWorld>): void {
  const { kind } = subject;
  const canSplit = routerAbilities(kind).weights;

  describe(`the router of kind ${kind}`, options, () => {
    let world: RouterWorld;
    let scene: RouterScene;
    let router: ObjectRouter;
    let old: VersionId;
    let next: VersionId;

    beforeEach(async () => {
      world = await openWorld();
      scene = await openScene(subject, world);
      ({ router, old, next } = scene);
    });
    afterEach(() => world.close());

    const shiftTo = (weights: Weights, marker: Marker) => router.shift({ weights }, marker, soon());
    const weightsNow = async () => (await router.observe(soon())).weights;
    /** Some way from the old version to the new one. */
    const partWay = () => (canSplit ? { [old]: 75, [next]: 25 } : { [next]: 100 });

    describe("makes its object", () => {
      it("and says before that there is none", async () => {
        expect(await router.observe(soon())).toEqual({ exists: false, weights: {}, marker: null, shape: "" });
        expect(await router.readShape(soon())).toBeUndefined();
      });

      it("without traffic and with the marker, when it claims what is not there", async () => {
        const marker = await scene.begin("t1");
        expect(await router.observe(soon())).toMatchObject({ exists: true, weights: {}, served: false, marker });
        expect(await scene.meet()).toEqual({});
      });

      it("so that it reads back as it was declared", async () => {
        await scene.serve(old);
        expect(await router.readShape(soon())).toEqual(subject.shape(scene.place));
        expect(await scene.meet()).toEqual({ [old]: 100 });
      });

      it("and removes it when there was none before", async () => {
        const marker = await scene.begin("t1");
        await shiftTo({ [next]: 100 }, marker);
        await router.restore(null, marker, soon());
        expect((await scene.stored()).every((object) => object === undefined)).toBe(true);
      });

      it("and removes it for good", async () => {
        await scene.serve(old);
        await shiftTo(partWay(), await scene.begin("t1"));
        await router.remove(soon());
        expect((await scene.stored()).every((object) => object === undefined)).toBe(true);
        await router.remove(soon());
      });
    });

    describe("moves traffic", () => {
      it("to each share that it can express, as clients see it, and reads it back", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        const byWeight = expressible(kind, old, next).filter(([, { matches, affinity }]) => !matches && !affinity);
        for (const [index, [what, traffic]] of [...byWeight, ...byWeight.toReversed()].entries()) {
          await router.shift(traffic, { ...marker, step: index }, soon());
          expect(await weightsNow(), what).toEqual(traffic.weights);
          expect(await scene.meet(), what).toEqual(traffic.weights);
        }
      });

      it("with the marker of the step that was begun", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        await shiftTo(partWay(), { ...marker, step: 3 });
        expect((await router.observe(soon())).marker).toEqual({ ...marker, step: 3 });
      });

      it("and what is declared of its object with it, leaving what others wrote on it", async () => {
        await scene.serve(old);
        await scene.patch({ metadata: { labels: { theirs: "yes" }, annotations: { note: "keep" } } });
        const marker = await scene.begin("t1");
        const changed = scene.open(subject.changedShape(scene.place));
        await changed.shift({ weights: { [next]: 100 } }, marker, soon());
        expect(await changed.readShape(soon())).toEqual(subject.changedShape(scene.place));
        const [main] = await scene.stored();
        expect(main?.metadata.labels).toMatchObject({
          theirs: "yes",
          team: "red",
          "bascule.dev/release": scene.place.release,
        });
        expect(main?.metadata.annotations).toMatchObject({ note: "keep", contact: "grace" });
      });

      it("but none to a version of which no Pod is ready", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        await world.removeVersion(scene.place, next);
        const before = await scene.stored();
        await expect(shiftTo({ [next]: 100 }, marker)).rejects.toThrow(`No Pod of ${next} is ready`);
        expect(await scene.stored()).toEqual(before);
      });

      it("for requests that are picked, and for all others by weight", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        const picked = expressible(kind, old, next).filter(([, { matches }]) => matches);
        const headersFor: Readonly<Record<string, string>>[] = [
          { "x-canary": "yes" },
          { "x-canary": "v2.1" },
          { "x-canary": "v20" },
          { "x-canary": "a" },
          { "x-canary": "b" },
          { "x-team": "ours" },
          { cookie: "beta=always" },
          { cookie: "other=1; beta=v2.7; third=3" },
          { cookie: "beta=cafe" },
        ];
        for (const [what, traffic] of picked) {
          await router.shift(traffic, marker, soon());
          expect(await weightsNow(), what).toEqual(traffic.weights);
          expect(await scene.meet(), what).toEqual(traffic.weights);
          expect(await scene.meet({ "x-canary": "other", cookie: "gamma=always; beta2=always" }), what).toEqual(
            traffic.weights,
          );
          for (const headers of headersFor) {
            const isPicked = (traffic.matches ?? []).some((match) => picks(match, headers));
            const expected = isPicked ? { [next]: 100 } : traffic.weights;
            expect(await scene.meet(headers), `${what}: ${JSON.stringify(headers)}`).toEqual(expected);
          }
        }
        await shiftTo({ [old]: 100 }, marker);
        for (const headers of headersFor) expect(await scene.meet(headers)).toEqual({ [old]: 100 });
      });

      it("and keeps a user at the new version by the cookie that it sets", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        for (const [, traffic] of expressible(kind, old, next).filter((each) => each[1].affinity)) {
          await router.shift(traffic, marker, soon());
          const name = traffic.affinity?.cookieName ?? `bascule-${scene.place.release}`;
          expect(JSON.stringify(await scene.stored())).toContain(`${name}=${next}; Path=/; Max-Age=`);
          expect(await scene.meet({ cookie: `a=b; ${name}=${next}` })).toEqual({ [next]: 100 });
          expect(await scene.meet()).toEqual(traffic.weights);
        }
      });

      it("and refuses what it cannot do before it writes anything, with a way out", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        const before = await scene.stored();
        for (const [what, traffic] of inexpressible(kind, old, next)) {
          const attempt = router.shift(traffic, marker, soon());
          await expect(attempt, what).rejects.toThrow(BasculeError);
          await expect(attempt, what).rejects.toThrow(/cannot do\. .* leave it out of the plan/);
        }
        expect(await scene.stored()).toEqual(before);
      });
    });

    describe("goes back", () => {
      const expectAsBefore = async (before: readonly (StoredView | undefined)[], marker: Marker) => {
        await router.release(marker, undefined, soon());
        expect((await scene.stored()).map(withoutVersion)).toEqual(before.map(withoutVersion));
        expect(await scene.meet()).toEqual({ [old]: 100 });
      };

      it("to how everything was, from a part of the way and from its end", async () => {
        await scene.serve(old);
        const before = await scene.stored();
        for (const [index, way] of [[], [partWay()], [{ [next]: 100 }], [partWay(), { [next]: 100 }]].entries()) {
          const marker = await scene.begin(`t${index}`);
          for (const weights of way) await shiftTo(weights, marker);
          await router.restore(marker.origin, marker, soon());
          expect(await weightsNow()).toEqual({ [old]: 100 });
          await expectAsBefore(before, marker);
        }
      });

      it("with ports, paths, labels and annotations as they were", async () => {
        await scene.serve(old);
        const before = await scene.stored();
        const marker = await scene.begin("t1");
        await scene.open(subject.changedShape(scene.place)).shift({ weights: partWay() }, marker, soon());
        await router.restore(marker.origin, marker, soon());
        await expectAsBefore(before, marker);
      });

      it("whatever became of the versions", async () => {
        await scene.serve(old);
        const before = await scene.stored();
        const marker = await scene.begin("t1");
        await shiftTo({ [next]: 100 }, marker);
        await world.removeVersion(scene.place, next);
        await router.restore(marker.origin, marker, soon());
        await expectAsBefore(before, marker);
      });

      it("also when somebody deleted the object", async () => {
        await scene.serve(old);
        const [before] = await scene.stored();
        const marker = await scene.begin("t1");
        await shiftTo({ [next]: 100 }, marker);
        await scene.deleteByHand();
        await expect(shiftTo({ [next]: 100 }, marker)).rejects.toThrow(/was deleted by somebody/);
        await expect(router.renew(marker, soon())).rejects.toThrow(/is gone/);
        await router.restore(marker.origin, marker, soon());
        await router.release(marker, undefined, soon());
        expect(withoutIdentity((await scene.stored())[0])).toEqual(withoutIdentity(before));
        expect(await scene.meet()).toEqual({ [old]: 100 });
      });

      it("and forward again", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        await shiftTo(partWay(), marker);
        await router.restore(marker.origin, marker, soon());
        await shiftTo({ [next]: 100 }, marker);
        expect(await scene.meet()).toEqual({ [next]: 100 });
      });

      it("to what somebody else had set up by hand, which has a name of its own", async () => {
        await scene.serve(old);
        const { patch, weights } = subject.byHand(scene.place);
        await scene.patch(patch);
        expect(await weightsNow()).toEqual(weights);
        const before = await scene.stored();
        const marker = await scene.begin("t1");
        await shiftTo({ [next]: 100 }, marker);
        await router.restore(marker.origin, marker, soon());
        await router.release(marker, undefined, soon());
        expect((await scene.stored()).map(withoutVersion)).toEqual(before.map(withoutVersion));
      });
    });

    if (canSplit) {
      describe("rests between two versions", () => {
        /** An update that ended at a pause. */
        const rest = async (traffic: Traffic) => {
          await scene.serve(old);
          const marker = await scene.begin("t1");
          await router.shift(traffic, marker, soon());
          await router.release(marker, { history: [old] }, soon());
        };

        it("without a marker, until the next transaction goes on from there", async () => {
          await rest({ weights: { [old]: 75, [next]: 25 } });
          expect(await router.observe(soon())).toMatchObject({ weights: { [old]: 75, [next]: 25 }, marker: null });
          const marker = await scene.begin("t2");
          expect(await scene.meet()).toEqual({ [old]: 75, [next]: 25 });
          await shiftTo({ [next]: 100 }, marker);
          expect(await scene.meet()).toEqual({ [next]: 100 });
          await router.restore(marker.origin, marker, soon());
          expect(await weightsNow()).toEqual({ [old]: 75, [next]: 25 });
          expect(await scene.meet()).toEqual({ [old]: 75, [next]: 25 });
        });

        it("and goes back further than that: to the old version alone, without rules for requests", async () => {
          const { matches } = routerAbilities(kind);
          await rest({
            weights: { [old]: 75, [next]: 25 },
            ...(matches ? { matches: [{ header: "X-Canary", exact: "yes" }] } : {}),
          });
          const { shape } = await router.observe(soon());
          const marker = await scene.begin("t2", { origin: { weights: { [old]: 100 }, shape, leavesRest: true } });
          await router.restore(marker.origin, marker, soon());
          await router.release(marker, undefined, soon());
          expect(await weightsNow()).toEqual({ [old]: 100 });
          expect(await scene.meet({ "x-canary": "yes" })).toEqual({ [old]: 100 });
        });
      });
    }

    describe("belongs to one run at a time", () => {
      it("and names the run that has it to any other", async () => {
        await scene.serve(old);
        const mine = await scene.begin("t1");
        const before = await scene.stored();
        const claim = router.claim(
          markerOf(scene, "t2", mine.origin),
          { marker: null, weights: { [old]: 100 } },
          soon(),
        );
        await expect(claim).rejects.toThrow(RouterConflict);
        await expect(claim).rejects.toThrow("transaction t1 of process 42 on here");
        expect(await scene.stored()).toEqual(before);
      });

      it("which may claim it twice", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        const before = await scene.stored();
        await router.claim(marker, { marker: null, weights: { [old]: 100 } }, soon());
        expect(await scene.stored()).toEqual(before);
      });

      it("and is taken over from a run that is gone, even when that one had renewed its lease", async () => {
        await scene.serve(old);
        const gone = await scene.begin("t1");
        await router.renew({ ...gone, leaseUntilMs: 2_000 }, soon());
        await router.claim(successorOf(gone, "t2"), { marker: gone, weights: null }, soon());
        expect((await router.observe(soon())).marker).toMatchObject({ transaction: "t2", fencing: 2 });
      });

      it("and not from a run that came later than the one that was seen", async () => {
        await scene.serve(old);
        const gone = await scene.begin("t1");
        await router.claim(successorOf(gone, "t2"), { marker: gone, weights: null }, soon());
        const late = router.claim({ ...successorOf(gone, "t3") }, { marker: gone, weights: null }, soon());
        await expect(late).rejects.toThrow(/transaction t2/);
      });

      it("and is not claimed when another run has come and gone since it was looked at", async () => {
        const nothing = await router.observe(soon());
        await scene.serve(old);
        const claim = (transaction: string, weights: Weights | null) =>
          router.claim(markerOf(scene, transaction, null), { marker: null, weights }, soon());
        await expect(claim("t1", nothing.exists ? {} : null)).rejects.toThrow(/changed by another run/);
        const seen = await router.observe(soon());
        await scene.serve(next);
        await expect(claim("t2", seen.weights)).rejects.toThrow(/changed by another run/);
      });

      it("and is not claimed when another run has gone on from its pause since, and left the weights as they were", async () => {
        await scene.serve(old);
        const rest = { candidate: next, pause: "look", origin: { [old]: 100 }, taken: "3f9a", undo: ["stop sync"] };
        const memory = { history: [old], rest };
        await router.release(await scene.begin("t1"), memory, soon());
        const seen = await router.observe(soon());
        expect(seen.memory).toEqual(memory);
        await router.release(await scene.begin("t2"), { history: [next, old] }, soon());
        expect((await router.observe(soon())).memory).toEqual({ history: [next, old] });
        const late = router.claim(markerOf(scene, "t3", null), { marker: null, weights: seen.weights, rest }, soon());
        await expect(late).rejects.toThrow(/changed by another run/);
      });

      const lateWrites: [string, (marker: Marker) => Promise<unknown>][] = [
        ["shift", (marker) => shiftTo({ [next]: 100 }, marker)],
        ["shift back", (marker) => shiftTo({ [old]: 100 }, marker)],
        ["restore", (marker) => router.restore(marker.origin, marker, soon())],
        ["remove", (marker) => router.restore(null, marker, soon())],
        ["renew", (marker) => router.renew(marker, soon())],
        ["release", (marker) => router.release(marker, { history: [next] }, soon())],
      ];
      it.each(lateWrites)("and lets nobody who is late %s", async (_what, write) => {
        await scene.serve(old);
        const late = await scene.begin("t1");
        await shiftTo(partWay(), late);
        await router.claim(successorOf(late, "t2"), { marker: late, weights: null }, soon());
        const before = await scene.stored();
        await expect(write(late)).rejects.toThrow(RouterConflict);
        await expect(write(late)).rejects.toThrow(/transaction t2/);
        expect(await scene.stored()).toEqual(before);
      });
      it.each(lateWrites)("and lets nobody %s whose marker was removed by hand", async (_what, write) => {
        await scene.serve(old);
        const late = await scene.begin("t1");
        await scene.patch({ metadata: { annotations: { "bascule.dev/transaction": null } } });
        const before = await scene.stored();
        await expect(write(late)).rejects.toThrow(/marker was removed by somebody/);
        expect(await scene.stored()).toEqual(before);
      });

      it("and is any run's again after a takeover, also what stands beside its object", async () => {
        await scene.serve(old);
        const gone = await scene.begin("t1");
        await shiftTo(partWay(), gone);
        const settling = successorOf(gone, "t2");
        await router.claim(settling, { marker: gone, weights: null }, soon());
        await router.restore(gone.origin, settling, soon());
        await router.release(settling, undefined, soon());
        const marker = await scene.begin("t3");
        await shiftTo(partWay(), marker);
        await shiftTo({ [next]: 100 }, marker);
        await router.release(marker, undefined, soon());
        expect(await scene.meet()).toEqual({ [next]: 100 });
      });
    });

    describe("remembers", () => {
      it("the marker of a later step when the lease of an earlier one is renewed", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        await shiftTo(partWay(), { ...marker, step: 2 });
        await router.renew({ ...marker, step: 1, leaseUntilMs: 9_000 }, soon());
        expect((await router.observe(soon())).marker).toEqual({ ...marker, step: 2, leaseUntilMs: 9_000 });
      });

      it("that somebody asked for an abort, until a transaction ends or another begins", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        expect(await router.renew(marker, soon())).toEqual({ abortRequested: false });
        await scene.patch({ metadata: { annotations: { "bascule.dev/abort": "ada" } } });
        expect(await router.renew(marker, soon())).toEqual({ abortRequested: true });
        await shiftTo(partWay(), marker);
        expect(await router.renew(marker, soon())).toEqual({ abortRequested: true });
        await router.release(marker, undefined, soon());
        await scene.patch({ metadata: { annotations: { "bascule.dev/abort": "ada" } } });
        const other = await scene.begin("t2");
        expect(await router.renew(other, soon())).toEqual({ abortRequested: false });
      });

      it("the versions that were promoted, through transactions that end without one", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        await shiftTo({ [next]: 100 }, marker);
        await router.release(marker, { history: [next, old] }, soon());
        expect(await router.observe(soon())).toMatchObject({ marker: null, memory: { history: [next, old] } });
        const failing = await scene.begin("t2", { candidate: old });
        await shiftTo({ [old]: 100 }, failing);
        await router.restore(failing.origin, failing, soon());
        await router.release(failing, undefined, soon());
        expect((await router.observe(soon())).memory).toEqual({ history: [next, old] });
      });

      it("nothing of a transaction that has ended", async () => {
        await scene.serve(old);
        const marker = await scene.begin("t1");
        await shiftTo({ [next]: 100 }, marker);
        await router.release(marker, undefined, soon());
        const [main, ...beside] = await scene.stored();
        expect(main?.metadata.annotations).not.toHaveProperty(["bascule.dev/transaction"]);
        expect(main?.metadata.annotations).not.toHaveProperty(["bascule.dev/restored"]);
        expect(beside.every((object) => object === undefined)).toBe(true);
      });
    });

    it("shows what somebody changed by hand, and not what others added", async () => {
      await scene.serve(old);
      await scene.patch({ metadata: { labels: { theirs: "yes" }, annotations: { note: "theirs" } } });
      expect(await router.readShape(soon())).toEqual(subject.shape(scene.place));
      await scene.patch({ metadata: { labels: { team: "green" } } });
      expect(await router.readShape(soon())).toEqual({ ...subject.shape(scene.place), labels: { team: "green" } });
    });
  });
}

/**
 * The table of all traffic that a kind of router can express: that the API server takes it, keeps all of it and gives it back with
 * the same meaning. Against a real API server that validates strictly, this holds what is written to the schema of its kind.
 */
export function trafficContract(subject: RouterSubject, openWorld: () => Promise<RouterWorld>): void {
  const { kind } = subject;
  const names = { old: "old", next: "new" };

  describe(`the traffic of a router of kind ${kind}`, options, () => {
    let world: RouterWorld;
    let scene: RouterScene;

    beforeEach(async () => {
      world = await openWorld();
      scene = await openScene(subject, world);
    });
    afterEach(() => world.close());

    const table = expressible(kind, names.old, names.next).map(([what], index) => ({ what, index }));
    it.each(table)("is taken, kept and given back: $what", async ({ index }) => {
      const { router, old, next } = scene;
      await scene.serve(old);
      const marker = await scene.begin("t1");
      const [, traffic] = expressible(kind, old, next)[index] ?? ["", { weights: {} }];
      await router.shift(traffic, marker, soon());
      const stored = await scene.stored();
      for (const [position, written] of scene.written().entries()) {
        expect(contains(stored[position], specOf(written)), JSON.stringify({ stored: stored[position], written })).toBe(
          true,
        );
      }
      expect((await router.observe(soon())).weights).toEqual(traffic.weights);
      expect(await scene.meet()).toEqual(traffic.weights);
    });

    it("is taken, kept and given back: none", async () => {
      await scene.begin("t1");
      const [stored] = await scene.stored();
      expect(contains(stored, specOf(scene.written()[0]))).toBe(true);
      expect((await scene.router.observe(soon())).weights).toEqual({});
    });
  });
}

const writtenSchema = z.looseObject({ spec: z.record(z.string(), z.unknown()) });

/** What was written of a spec. The API keeps no empty list or map of its own kinds. */
function specOf(written: unknown): unknown {
  const { spec } = writtenSchema.parse(written ?? { spec: {} });
  return { spec: Object.fromEntries(Object.entries(spec).filter(([, value]) => !isEmpty(value))) };
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** Whether a rule is meant for such a request. */
function picks(
  { header, cookie, exact, prefix, regex }: NonNullable<Traffic["matches"]>[number],
  headers: Readonly<Record<string, string>>,
): boolean {
  const cookies = new Map(
    (headers["cookie"] ?? "").split("; ").map((part) => [part.split("=")[0], part.split("=")[1]]),
  );
  const sent = cookie === undefined ? headers[header?.toLowerCase() ?? ""] : cookies.get(cookie);
  if (sent === undefined) return false;
  if (exact !== undefined) return sent === exact;
  if (prefix !== undefined) return sent.startsWith(prefix);
  return new RegExp(`^(?:${regex ?? ""})$`).test(sent);
}

/** An object without what changes at each write. */
function withoutVersion(object: StoredView | undefined): unknown {
  if (!object) return undefined;
  const { metadata, ...rest } = object;
  const { resourceVersion: _version, generation: _generation, managedFields: _managers, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

/** An object as it may be made anew. */
function withoutIdentity(object: StoredView | undefined): unknown {
  return object && { labels: object.metadata.labels, annotations: object.metadata.annotations, spec: object.spec };
}

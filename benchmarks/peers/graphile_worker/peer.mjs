// graphile-worker under the commands of benchmarks/peers/__init__.py. Tuned: worker.graphile.org/docs/performance, "Quick stats".
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const { DATABASE_URL: connectionString, BENCH_REPORT: report } = process.env;
const count = Number(process.env.BENCH_TASKS);
const tuned = process.env.BENCH_TUNED === "1";
const payload = { source: "https://example.org/episodes/4711", target: { codec: "aac", bitrate_kbps: 128 }, note: "x".repeat(40) };
const logger = new Logger(() => () => {});
const now = () => Date.now() / 1000;

async function producing(work) {
  const utils = await makeWorkerUtils({ connectionString, logger });
  try {
    return await work(utils);
  } finally {
    await utils.release();
  }
}

async function timed(work) {
  await producing(async (utils) => {
    await utils.withPgClient((client) => client.query("select 1"));
    const began = performance.now();
    await work(utils);
    console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
  });
}

const commands = {
  install: () => producing((utils) => utils.migrate()),
  bulk: () =>
    timed(async (utils) => {
      for (let done = 0; done < count; done += 10_000) {
        const size = Math.min(10_000, count - done);
        await utils.addJobs(Array.from({ length: size }, () => ({ identifier: "noop", payload })));
      }
    }),
  single: () =>
    timed(async (utils) => {
      for (let done = 0; done < count; done++) await utils.addJob("noop", payload);
    }),
  lone: () =>
    producing(async (utils) => {
      for (let done = 0; done < count; done++) {
        await pause(50 + Math.random() * 100);
        await utils.addJob("noop", { ...payload, sent: performance.timeOrigin / 1000 + performance.now() / 1000 });
      }
    }),
  work: async () => {
    const slices = {};
    const latencies = [];
    const noop = (given) => {
      const slice = Math.floor(now() * 100);
      slices[slice] = (slices[slice] ?? 0) + 1;
      if (given.sent !== undefined) latencies.push(performance.timeOrigin / 1000 + performance.now() / 1000 - given.sent);
    };
    const advised = { concurrentJobs: 24, maxPoolSize: 25, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
    const preset = { worker: { connectionString, ...(tuned ? advised : {}) } };
    const runner = await run({ preset, logger, noHandleSignals: true, taskList: { noop } });
    await new Promise((resolve) => process.once("SIGTERM", resolve));
    await runner.stop();
    writeFileSync(report, JSON.stringify({ slices, latencies }));
  },
};

await commands[process.argv[2]]();
process.exit(0);

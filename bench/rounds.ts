/** Measures two sides in turns, so that whatever disturbs this machine disturbs both, and sums up what came of it. */

/** One side's share of a round. */
export type Round = {
  /** Requests, or mails. */
  done: number;
  elapsedMs: number;
  latenciesMs: Float64Array;
  /** Null where the system does not tell. */
  cpuSeconds: number | null;
  /** The most memory its process ever held. */
  peakBytes?: number | null;
  /** How late its event loop was. */
  loopP99Ms?: number | null;
  /** Of one core, what the sink used that took its mails. */
  sinkShare?: number | null;
};

export type Side = () => Promise<Round>;

export type Summary = {
  what: string;
  subject: Figures;
  baseline: Figures;
  ratio: Spread;
  /** CPU time of the baseline to that of the subject: what the ratio would be on a machine of one's own. */
  cpuRatio: number | null;
  aim: number;
};

/** What was not measured is null. */
export type Figures = {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  cpuMicros: number | null;
  peakMb: number | null;
  loopP99Ms: number | null;
  sinkShare: number | null;
};
export type Spread = { median: number; min: number; max: number };

export type Comparison = { what: string; aim: number; subject: Side; baseline: Side; rounds: number };

/** The sides are warm already. Every other round is turned round, so that neither always comes first. */
export async function compare({ what, aim, subject, baseline, rounds }: Comparison): Promise<Summary> {
  const subjects: Round[] = [];
  const baselines: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    const order = [() => measure(baselines, baseline), () => measure(subjects, subject)];
    if (round % 2 === 1) order.reverse();
    for (const side of order) await side();
  }
  const ratios = subjects.map((one, index) => rate(one) / rate(baselines[index] as Round));
  const figures = { subject: figuresOf(subjects), baseline: figuresOf(baselines) };
  const { cpuMicros } = figures.subject;
  const cpuRatio = cpuMicros && figures.baseline.cpuMicros ? figures.baseline.cpuMicros / cpuMicros : null;
  return { what, aim, ...figures, ratio: spreadOf(ratios), cpuRatio };
}

async function measure(into: Round[], side: Side): Promise<void> {
  into.push(await side());
}

function rate({ done, elapsedMs }: Round): number {
  return (done / elapsedMs) * 1_000;
}

function figuresOf(rounds: Round[]): Figures {
  const latencies = Float64Array.from(rounds.flatMap((round) => [...round.latenciesMs])).sort();
  const done = rounds.reduce((sum, round) => sum + round.done, 0);
  const cpu = rounds.map((round) => round.cpuSeconds);
  const cpuSeconds = cpu.reduce((sum: number, one) => sum + (one ?? 0), 0);
  return {
    perSecond: medianOf(rounds.map(rate)),
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    cpuMicros: cpu.includes(null) ? null : (cpuSeconds / done) * 1e6,
    peakMb: known(
      rounds.map((round) => (round.peakBytes ?? Number.NaN) / 1e6),
      (all) => Math.max(...all),
    ),
    loopP99Ms: known(
      rounds.map((round) => round.loopP99Ms ?? Number.NaN),
      medianOf,
    ),
    sinkShare: known(
      rounds.map((round) => round.sinkShare ?? Number.NaN),
      medianOf,
    ),
  };
}

/** Null where any is missing. */
function known(values: number[], sum: (values: number[]) => number): number | null {
  return values.some(Number.isNaN) ? null : sum(values);
}

export function spreadOf(values: number[]): Spread {
  return { median: medianOf(values), min: Math.min(...values), max: Math.max(...values) };
}

export function medianOf(values: number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

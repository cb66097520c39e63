// Numbers as people say them. Sizes in GB with one decimal, tokens with thin spaces, times in the unit that fits.

const THIN = "\u2009";

/** 12345 -> "12 345" with thin spaces. */
export function count(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

export function tokens(value: number): string {
  return `${count(value)} ${value === 1 ? "token" : "tokens"}`;
}

/** Decimal units, as disks and downloads are sold. */
export function bytes(value: number): string {
  if (value < 1e3) return `${value} bytes`;
  if (value < 1e6) return `${Math.round(value / 1e3)} kB`;
  if (value < 1e9) return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} MB`;
  if (value < 1e12) return `${(value / 1e9).toFixed(1)} GB`;
  return `${(value / 1e12).toFixed(2)} TB`;
}

/** Low and high estimate: "6.2 to 7.1 GB", or one size where both read the same. */
export function span(low: number, high: number): string {
  const [from, to] = [bytes(low), bytes(high)];
  if (from === to) return to;
  const unit = to.slice(to.indexOf(" "));
  return from.endsWith(unit) ? `${from.slice(0, -unit.length)} to ${to}` : `${from} to ${to}`;
}

/** 2048 -> "2k", 10485760 -> "10M": contexts are powers of two and named by 1,024, but for round thousands. */
export function contextName(tokens: number): string {
  if (tokens >= 1000 && tokens % 1000 === 0) return `${tokens / 1000}k`;
  if (tokens >= 1_048_576) return `${trimmed(tokens / 1_048_576)}M`;
  return tokens >= 1024 ? `${trimmed(tokens / 1024)}k` : count(tokens);
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}

export function speed(bytesPerSecond: number): string {
  return `${bytes(Math.round(bytesPerSecond))}/s`;
}

/** "about 3 minutes left": a guess that changes every second is said roughly. */
export function timeLeft(seconds: number): string {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} seconds left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes} ${minutes === 1 ? "minute" : "minutes"} left`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `about ${hours} ${hours === 1 ? "hour" : "hours"} left` : `about ${Math.round(hours / 24)} days left`;
}

/** As people know quantisations: "q4k" -> "Q4_K"; "16 bit" for weights as they are stored. */
export function quantName(quant: string): string {
  return { none: "as stored", q8_0: "Q8_0", q6k: "Q6_K", q5k: "Q5_K", q4k: "Q4_K" }[quant] ?? quant.toUpperCase();
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms - minutes * 60_000) / 1000)} s`;
}

/** 108641793536 -> "109B". */
export function parameters(value: number): string {
  if (value >= 1e12) return `${(value / 1e12).toFixed(1)}T`;
  if (value >= 1e9) return `${(value / 1e9).toFixed(value < 1e10 ? 1 : 0)}B`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)}M`;
  return count(value);
}

/** The heading under which a conversation is listed. */
export function dayGroup(ms: number, nowMs: number): string {
  const midnight = new Date(nowMs);
  midnight.setHours(0, 0, 0, 0);
  const days = Math.ceil((midnight.getTime() - ms) / 86_400_000);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days <= 7) return "Last 7 days";
  if (days <= 30) return "Last 30 days";
  return "Earlier";
}

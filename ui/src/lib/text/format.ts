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
  return `${(value / 1e9).toFixed(1)} GB`;
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
  if (days <= 7) return "This week";
  if (days <= 30) return "This month";
  return "Earlier";
}

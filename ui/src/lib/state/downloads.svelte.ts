// Downloads as Rust tells of them, and which of them have just ended.
import { ipc, type Download, type ModelId } from "../ipc";
import { bytes, speed, timeLeft } from "../text/format";

/** Still to be done, by itself or by the person. */
export function isOpen(download: Download): boolean {
  return download.state.kind !== "done";
}

/** Bytes come now, or will without anyone doing anything. */
export function isActive(download: Download): boolean {
  return download.state.kind === "running" || download.state.kind === "waiting" || download.state.kind === "verifying";
}

/** 0 to 1; nothing to fetch counts as nothing done. */
export function shareDone(download: Download): number {
  return download.bytesTotal > 0 ? Math.min(1, download.bytesDone / download.bytesTotal) : 0;
}

/** One line of figures: "3.2 of 8.9 GB · 12 MB/s · about 8 minutes left". */
export function progressWords(download: Download): string {
  const { state, bytesDone, bytesTotal } = download;
  const [done, total] = [bytes(bytesDone), bytes(bytesTotal)];
  const unit = total.slice(total.indexOf(" "));
  const part = done.endsWith(unit) ? `${done.slice(0, -unit.length)} of ${total}` : `${done} of ${total}`;
  switch (state.kind) {
    case "waiting":
      return bytesDone > 0 ? `${part} · waiting` : `Waiting · ${total}`;
    case "running":
      return [part, download.bytesPerSecond > 0 ? speed(download.bytesPerSecond) : "", download.secondsLeft === null ? "" : timeLeft(download.secondsLeft)]
        .filter(Boolean)
        .join(" · ");
    case "verifying":
      return `${total} · checking every file`;
    case "paused":
      return `${part} · paused`;
    case "failed":
      return part;
    case "done":
      return total;
  }
}

export class DownloadsState {
  list = $state.raw<Download[]>([]);

  readonly active = $derived(this.list.filter(isActive));
  /** Of everything active, 0 to 1. */
  readonly share = $derived.by(() => {
    const total = this.active.reduce((sum, one) => sum + one.bytesTotal, 0);
    return total > 0 ? this.active.reduce((sum, one) => sum + one.bytesDone, 0) / total : 0;
  });

  readonly #ended: (download: Download) => void;

  constructor(ended: (download: Download) => void) {
    this.#ended = ended;
  }

  /** What was there when the window opened has not "just" ended. */
  begin(list: Download[]): void {
    this.list = list;
  }

  take(list: Download[]): void {
    const before = this.list;
    this.list = list;
    for (const download of list) {
      const { kind } = download.state;
      const was = before.find((one) => one.id === download.id)?.state.kind;
      // What is first heard of when it is over was over before.
      if ((kind !== "done" && kind !== "failed") || was === undefined || was === kind) continue;
      this.#ended(download);
    }
  }

  /** `file` is one of several models in a repository. */
  of(repository: string | null, file: string | null = null): Download | null {
    const ofRepository = this.list.filter((one) => one.repository.toLowerCase() === repository?.toLowerCase());
    return ofRepository.find((one) => file === null || one.id === one.repository || one.id.endsWith(`/${file}`)) ?? null;
  }

  async start(repository: string, licenceAccepted: boolean): Promise<void> {
    this.take(await ipc.startDownload(repository, licenceAccepted));
  }

  async pause(id: string): Promise<void> {
    this.take(await ipc.pauseDownload(id));
  }

  async resume(id: string): Promise<void> {
    this.take(await ipc.resumeDownload(id));
  }

  async remove(id: string): Promise<void> {
    this.take(await ipc.removeDownload(id));
  }
}

export function modelOf(download: Download): ModelId | null {
  return download.state.kind === "done" ? download.state.model : null;
}

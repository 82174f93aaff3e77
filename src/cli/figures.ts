/**
 * Figures: durations, sizes and shares as a person reads them, short and of steady width.
 *
 * @module
 */

/** A time that something took, exact while it is short: `312 ms`, `1.4 s`, `2m 05s`. */
export function durationText(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  return milliseconds < 59_950 ? `${(milliseconds / 1000).toFixed(1)} s` : uptimeText(milliseconds);
}

/** A time that goes on, in whole seconds and never rounded up: `0s`, `12s`, `3m 04s`, `2h 05m`, `3d 04h`. */
export function uptimeText(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${twoDigits(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${twoDigits(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${twoDigits(hours % 24)}h`;
}

/** A moment in the time zone of the reader: `2026-01-31 23:05:09`. */
export function timeText(atMs: number): string {
  const at = new Date(atMs);
  const date = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(twoDigits).join("-");
  return `${date} ${clockText(atMs)}`;
}

/** The time of day in the time zone of the reader: `23:05:09`. */
export function clockText(atMs: number): string {
  const at = new Date(atMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(":");
}

/** A size in units of 1024: `512 B`, `43.1 MB`, `120 MB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = bytes;
  let unit = 0;
  while (size >= 999.5 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : 1;
  return `${size.toFixed(digits)} ${units[unit]}`;
}

/** A share of one core: `0 %`, `2.5 %`, `180 %`. */
export function percentText(percent: number): string {
  return `${percent > 0.05 && percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)} %`;
}

function twoDigits(count: number): string {
  return String(count).padStart(2, "0");
}

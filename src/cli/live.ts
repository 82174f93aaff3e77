/**
 * Live: the table of a system that runs in the foreground, in place on a terminal.
 *
 * Not here: what the table looks like (view.ts), how it is drawn (screen.ts).
 *
 * @module
 */
import type { RunningSystem } from "../control/service.ts";
import { type ScreenOptions, startScreen } from "./screen.ts";
import { renderView, type ViewOptions } from "./view.ts";

export interface LiveOptions extends Omit<ScreenOptions, "render"> {
  readonly title: string;
  readonly colour: boolean;
}

/** Draws until the returned function is called, which leaves the last table on the screen. */
export function startLive(system: RunningSystem, { title, colour, ...options }: LiveOptions): () => void {
  let phase: ViewOptions["phase"] = "running";
  const screen = startScreen({
    ...options,
    render: (size, elapsedMs, hasEnded) =>
      renderView(system.instances(), size, { title, colour, phase: hasEnded ? "ended" : phase, elapsedMs }),
  });
  const unsubscribe = system.subscribe((event) => {
    if (event.type === "stopping") phase = "stopping";
    if (event.type !== "ended") screen.changed();
  });
  return () => {
    unsubscribe();
    screen.end();
  };
}

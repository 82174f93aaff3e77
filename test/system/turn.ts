/** Lets the event loop turn once: for tests that look again and again until something outside of Node has happened. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

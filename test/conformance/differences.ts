/**
 * Differences: where colos leaves OTP on purpose, one sentence each.
 *
 * @module
 */

export const differences: readonly string[] = [
  "The restart window is in milliseconds; OTP counts whole seconds, so with a period of 1 two crashes 1.2 s apart still count together there.",
  "A supervisor answers a call that it does not know with an error and goes on; OTP's ends with `function_clause`.",
  "Restarts may wait (`backoff`), grow and recover; OTP restarts at once.",
  "A child stopped by `terminateChild` while its group waits for a restart stays stopped in that restart, and `startChild` of a child that waits is answered with `restarting`; in OTP nothing waits.",
  "Mailboxes have a bound and a policy (the default ends the receiver, `block` holds senders); OTP's have none and end the whole VM when memory is gone.",
  "A server's state is its object, and handlers return replies; OTP's return state tuples.",
  "A name of a method that a server does not have fails the call; in OTP it ends the server.",
  "A state machine's data are its object's fields, and a callback that returns nothing keeps the state.",
  "On another carrier `kill` is carried out by the carrier, so it overtakes signals that were sent before; and a timer ends with the kernel in which it was started, so it does not outlive the program of a thread or OS process.",
  "Messages inside one heap are handed over, not copied: do not change what you have sent.",
  "Nothing can interrupt synchronous JavaScript: a coroutine that loops without `await` is found and named by the watchdog, not stopped. On a thread or in an OS process `kill` ends it.",
  "A program on a thread or in an OS process has a kernel of its own, and names belong to a kernel; one that does not know a name asks the kernel above.",
];

/**
 * Call socket: how the daemon tells a program where it is to be called.
 *
 * @module
 */

/** The path of the socket; the program's own code does not see it. */
export const callVariable = "COLOS_CALL";
/** What stands in a file at that path when the program is a script. */
export const scriptMark = "script\n";

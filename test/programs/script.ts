/** An ordinary script: it offers no process body. */
export const answer = 42;

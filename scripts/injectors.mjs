// Prints which injectors of faults work on this machine, and what the others need.
import { injectorTable } from "colos/testing";

console.log(await injectorTable());

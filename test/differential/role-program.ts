/**
 * Role program: the interpreter of one role, for carriers that run files.
 *
 * @module
 */
import { defineProgram } from "colos";
import { roleBody } from "./role-body.ts";

export default defineProgram(roleBody);

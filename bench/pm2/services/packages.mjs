/**
 * A web server like server.mjs that imports large packages first, as real programs do.
 *
 *   node packages.mjs port
 */
import "esbuild";
import "fast-check";
import "valibot";
import "yaml";
import "./server.mjs";

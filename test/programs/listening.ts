import { createServer } from "node:net";
import process from "node:process";

/* A script that serves on the socket it was handed. */
const { LISTEN_FDS, LISTEN_PID } = process.env;
const server = createServer((socket) => {
  socket.end(`${LISTEN_FDS} ${Number(LISTEN_PID) === process.pid}`);
  server.close();
});
server.listen({ fd: 3 }, () => console.log("listening"));

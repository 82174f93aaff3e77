# The Dockerfile of examples/container, built and run by podman
clean
app=/srv/image
rm -rf $app
mkdir -p $app
cd $app
cp /srv/container/* .
# What npm installs is a file here, and not of a registry.
sed -i 's/^COPY package.json package-lock.json/& colos.tgz/' Dockerfile
tar -czf colos.tgz -C /usr/local/lib/node_modules --transform s,^colos,package, --exclude node_modules colos
# The override is colos's own package.json's, which counts in its checkout alone: later versions are not whole in every registry.
cat >package.json <<'JSON'
{ "name": "app", "version": "1.0.0", "dependencies": { "colos": "file:colos.tgz" }, "overrides": { "msgpackr-extract": "3.0.4" } }
JSON
cat >colos.config.yaml <<'YAML'
services:
  db: { command: ["sh", "-c", "trap 'echo db goes; kill $! 2>/dev/null; exit 0' TERM; echo up; sleep 1000 & wait"], ready: { log: up } }
  web: { command: ["sh", "-c", "trap 'echo web goes; kill $! 2>/dev/null; exit 0' TERM; echo up; sleep 1000 & wait"], ready: { log: up }, dependsOn: [db] }
  eater: { command: ["sh", "-c", "echo up; read -r line; node -e 'kept = []; for (;;) kept.push(Buffer.alloc(1e6, 1))'; echo ate $?; exit 1"], ready: { log: up } , limits: { memoryBytes: "100 MiB" } }
YAML
# The authorities that this machine trusts.
export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
npm install --silent --package-lock-only --no-audit --no-fund
# Debian with Node.js stands for the image that the Dockerfile is from, as there is no registry of images here.
podman image exists docker.io/library/node:22-slim ||
  tar -c --one-file-system -C / --exclude=./var/lib/containers --exclude=./usr/lib/modules --exclude=./usr/local --exclude=./srv --exclude=./opt --exclude=./var/log --exclude=./var/tmp --exclude=./var/cache --exclude=./root . | podman import - docker.io/library/node:22-slim
podman build --env NODE_EXTRA_CA_CERTS --network=host --quiet --tag app . >/dev/null
tell "the image is built: $(podman image inspect app --format '{{.Config.Entrypoint}} {{.Config.Cmd}} {{.Config.StopSignal}}')"

podman rm --force --ignore app >/dev/null
podman run --detach --network=host --memory=512m --pids-limit=200 --cpus=1 --name app app >/dev/null
inside() { podman exec app node_modules/.bin/colos "$@"; }
await 30 sh -c "podman logs app 2>&1 | grep -q 'web is ready'"
same "pid 1" "$(podman exec app cat /proc/1/comm)" sh
tell "abilities: $(inside ps --json | node -pe 'JSON.parse(require("fs").readFileSync(0)).daemon.abilities.join("; ")')"
podman exec app sh -c 'sh -c "sleep 0.3 & exit" & wait; sleep 1; ps -e -o stat= | grep -c Z' >zombies || :
same zombies "$(cat zombies)" 0
inside send eater go
await 30 sh -c "podman exec app node_modules/.bin/colos why eater | grep -q ended"
inside why eater
podman stop --time 20 app >/dev/null
same "exit code after podman stop" "$(podman inspect app --format '{{.State.ExitCode}}')" 0
same "order of the end" "$(podman logs app 2>&1 | grep -E 'goes$' | tr '\n' ' ')" "web | web goes db | db goes "
podman start app >/dev/null
await 30 sh -c "podman exec app node_modules/.bin/colos ps | grep -q web"
tell "started again: $(inside ps --json | node -pe 'JSON.parse(require("fs").readFileSync(0)).instances.map((each) => each.name + " " + each.state).join(", ")')"
# With the daemon the container ends, and whatever else is in it, so this command's exit status says nothing.
inside down || :
await 10 sh -c "[ \"\$(podman inspect app --format '{{.State.Status}}')\" = exited ]"
same "exit code after colos down" "$(podman inspect app --format '{{.State.ExitCode}}')" 0
podman rm app >/dev/null

/** The shop's page: each button is one request to the API. */

/** Set by esbuild, see colos.config.ts. */
declare const apiPort: number;

const customer = document.querySelector<HTMLInputElement>("#customer")!;
const answer = document.querySelector<HTMLOutputElement>("#answer")!;

/** What each button asks for, by the button's id. */
const requests: Readonly<Record<string, () => void>> = {
  tea: () => ask("POST", `/sessions/${customer.value}/items`, { name: "tea", price: 3 }),
  pot: () => ask("POST", `/sessions/${customer.value}/items`, { name: "pot", price: 20 }),
  basket: () => ask("GET", `/sessions/${customer.value}`),
  quote: () => ask("GET", `/sessions/${customer.value}/quote`),
  crash: () => ask("POST", `/sessions/${customer.value}/crash`),
  loop: () => ask("POST", "/pricing/loop"),
};

for (const [id, request] of Object.entries(requests)) {
  document.querySelector(`#${id}`)!.addEventListener("click", request);
}

async function ask(method: "GET" | "POST", path: string, body?: object): Promise<void> {
  const startedMs = performance.now();
  try {
    const sent = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${apiPort}${path}`, sent);
    const text = await response.text();
    answer.textContent = `${response.status} after ${Math.round(performance.now() - startedMs)} ms\n${text}`;
  } catch (error) {
    answer.textContent = `no answer: ${String(error)}`;
  }
}

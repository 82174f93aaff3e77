/** The shop's page: each button is one request to the API. */
const api = "http://127.0.0.1:8000";
const output = document.querySelector("#answer") as HTMLElement;
const customer = document.querySelector("#customer") as HTMLInputElement;

async function show(method: string, path: string, body?: unknown): Promise<void> {
  const startedMs = performance.now();
  try {
    const init: RequestInit = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    const response = await fetch(`${api}${path}`, init);
    const text = await response.text();
    output.textContent = `${response.status} after ${Math.round(performance.now() - startedMs)} ms\n${text}`;
  } catch (error) {
    output.textContent = `no answer: ${String(error)}`;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target;
  if (!(button instanceof HTMLButtonElement)) return;
  if ("loop" in button.dataset) {
    void show("POST", "/pricing/loop");
    return;
  }
  const [method = "GET", action = "", item, price] = (button.dataset["call"] ?? "").split(" ");
  const path = `/sessions/${customer.value}${action === "" ? "" : `/${action}`}`;
  void show(method, path, item === undefined ? undefined : { item, price: Number(price) });
});

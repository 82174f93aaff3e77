/**
 * `colos completion`: a script for a shell, made from the table of verbs. Names of services are asked of `colos ps --quiet` when
 * they are needed, and tags of `colos ps --quiet --tags`, in the home that stands on the line.
 *
 * Limit: words inside quotes and names of homes with spaces are not completed.
 *
 * @module
 */
import { exitCodes } from "../exit-codes.ts";
import { helpOption, type Verb } from "../verb.ts";
import { verbs } from "../verbs.ts";
import type { Option, Options, Words } from "../words.ts";

const shells = ["bash", "zsh", "fish"] as const;

export const completion: Verb = {
  notes: [
    "bash:  source <(colos completion bash)            in ~/.bashrc",
    "zsh:   source <(colos completion zsh)             in ~/.zshrc, after compinit",
    "fish:  colos completion fish > ~/.config/fish/completions/colos.fish",
  ],
  options: { help: helpOption },
  run: async (words, host) => {
    const shell = readShell(words);
    const table = await Promise.all(Object.entries(verbs).map(completedVerb));
    host.stdout.write(scripts[shell](table));
    return exitCodes.ok;
  },
};

function readShell(words: Words): (typeof shells)[number] {
  const word = words.one("shell");
  const shell = shells.find((each) => each === word);
  if (shell !== undefined) return shell;
  throw words.wrong(`name a shell: colos completion ${shells.join("|")}`);
}

interface CompletedVerb {
  readonly name: string;
  readonly summary: string;
  readonly completes: "names" | "files" | "nothing";
  readonly options: Options;
}

async function completedVerb([name, entry]: [string, (typeof verbs)[string]]): Promise<CompletedVerb> {
  const { options } = await entry.load();
  return { name, summary: entry.summary, completes: entry.completes, options };
}

const scripts: Readonly<Record<(typeof shells)[number], (table: readonly CompletedVerb[]) => string>> = {
  bash: bashScript,
  zsh: (table) => `autoload -U +X bashcompinit && bashcompinit\n${bashScript(table)}`,
  fish: fishScript,
};

function optionNames(options: Options): readonly string[] {
  return Object.entries(options).flatMap(([name, { short }]) => [
    `--${name}`,
    ...(short === undefined ? [] : [`-${short}`]),
  ]);
}

function bashScript(table: readonly CompletedVerb[]): string {
  const cases = table.map(
    ({ name, options, completes }) => `    ${name}) options='${optionNames(options).join(" ")}'; kind=${completes} ;;`,
  );
  // The loop runs in bash and, through bashcompinit, in zsh; both give COMP_WORDS and COMP_CWORD.
  return `# Completes the words of colos. Made by: colos completion
_colos_ask() {
  colos ps --quiet "$@" \${home:+--home "$home"} 2>/dev/null | sed 'p;s/\\.[0-9]*$//'
}
_colos() {
  local cur prev verb options kind home i words
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${table.map(({ name }) => name).join(" ")} help --help --version' -- "$cur"))
    return
  fi
  verb=\${COMP_WORDS[1]}
  case $verb in
${cases.join("\n")}
    help) options=''; kind=verbs ;;
    *) return ;;
  esac
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [ "\${COMP_WORDS[i]}" = --home ]; then home=\${COMP_WORDS[i+1]}; fi
  done
  case $prev in
    --home | --cwd) COMPREPLY=($(compgen -d -- "$cur")); return ;;
  esac
  case $verb:$prev in
${valueCases(table)}
  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$options" -- "$cur")); return ;;
  esac
  case $kind in
    names)
      # bash makes a word of its own of an @, and yet puts what is offered in its place too.
      if [ "$prev" = @ ]; then cur=@$cur; fi
      case $cur in
        @*) words=$(_colos_ask --tags) ;;
        '') words="all $(_colos_ask) $(_colos_ask --tags)" ;;
        *) words="all $(_colos_ask)" ;;
      esac
      COMPREPLY=($(compgen -W "$words" -- "$cur"))
      ;;
    files) COMPREPLY=($(compgen -f -- "$cur")) ;;
    verbs) COMPREPLY=($(compgen -W '${table.map(({ name }) => name).join(" ")}' -- "$cur")) ;;
    nothing) if [ "$verb" = completion ]; then COMPREPLY=($(compgen -W '${shells.join(" ")}' -- "$cur")); fi ;;
  esac
}
complete -o bashdefault -F _colos colos
`;
}

/** The values that an option takes: `permanent|transient|temporary`, or those that it names; undefined when they are not known. */
function choicesOf({ value, values }: Option): readonly string[] | undefined {
  if (values !== undefined) return values;
  return value !== undefined && /^[\w-]+(?:\|[\w-]+)+$/.test(value) ? value.split("|") : undefined;
}

function valueCases(table: readonly CompletedVerb[]): string {
  const cases = new Map<string, readonly string[]>();
  for (const { name: verb, options } of table) {
    for (const [name, option] of Object.entries(options)) {
      const values = choicesOf(option);
      const words = option.short === undefined ? [`--${name}`] : [`--${name}`, `-${option.short}`];
      if (values !== undefined) for (const word of words) cases.set(`${verb}:${word}`, values);
    }
  }
  return [...cases]
    .map(([word, values]) => `    ${word}) COMPREPLY=($(compgen -W '${values.join(" ")}' -- "$cur")); return ;;`)
    .join("\n");
}

function fishScript(table: readonly CompletedVerb[]): string {
  const lines = table.flatMap(({ name, summary, completes, options }) => {
    const here = `complete -c colos -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c colos -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(summary)}`,
      ...(completes === "names" ? [`${here} -f -a '(__colos_names)'`] : completes === "nothing" ? [`${here} -f`] : []),
      ...Object.entries(options).map(([option, written]) => {
        const { value, short, help } = written;
        const shortName = short === undefined ? "" : ` -s ${short}`;
        const choices = choicesOf(written);
        const argument = value === undefined ? "" : choices === undefined ? " -r" : ` -x -a '${choices.join(" ")}'`;
        return `${here} -l ${option}${shortName}${argument} -d ${fishQuoted(help)}`;
      }),
    ];
  });
  return `# Completes the words of colos. Made by: colos completion
function __colos_names
  echo all
  colos ps --quiet 2>/dev/null
  colos ps --quiet --tags 2>/dev/null
end
${lines.join("\n")}
complete -c colos -n '__fish_seen_subcommand_from completion' -a '${shells.join(" ")}'
`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}

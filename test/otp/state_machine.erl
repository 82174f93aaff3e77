%% Tries the statements of state-machine.ts on Erlang's own gen_statem and prints one line per statement: its id and what the
%% callbacks saw, separated by "|". Run: erlc state_machine.erl && erl -noshell -s state_machine main
-module(state_machine).
-behaviour(gen_statem).
-export([main/0, init/1, callback_mode/0, handle_event/4, terminate/3]).

%% --- a machine that does what its events say ---

callback_mode() ->
    case get(enter) of
        none -> handle_event_function;
        _ -> [handle_event_function, state_enter]
    end.

init({Test, Enter, Init}) ->
    put(test, Test),
    put(enter, Enter),
    Init.

handle_event(enter, Old, State, _) ->
    note(["enter", word(Old), word(State)]),
    (get(enter))(Old, State);
handle_event(Type, Do, State, _) when is_function(Do) ->
    note([type(Type), word(State)]),
    Do(State);
handle_event(Type, Word, State, _) ->
    note([type(Type), word(Word), word(State)]),
    case get({on, Word}) of
        undefined -> keep_state_and_data;
        Do -> Do(State)
    end.

terminate(Reason, State, _) ->
    Tag = case Reason of
              {{Error, _}, Stack} when is_list(Stack) -> Error;
              {Error, Stack} when is_list(Stack) -> Error;
              {Error, _} -> Error;
              Error -> Error
          end,
    note(["terminate", word(Tag), word(State)]).

note(Words) -> get(test) ! {note, lists:flatten(lists:join(" ", Words))}.

type(state_timeout) -> "stateTimeout";
type(timeout) -> "eventTimeout";
type({timeout, Name}) -> "timeout:" ++ word(Name);
type({call, _}) -> "call";
type(Type) -> word(Type).

%% Error atoms are camelCase in colos.
word(Word) ->
    [First | Rest] = string:split(atom_to_list(Word), "_", all),
    First ++ [string:titlecase(Part) || Part <- Rest].

%% --- trying ---

%% All statements at the same time, each in a process of its own, because most of the time is spent waiting.
try_statement(Id, Events) -> try_statement(Id, none, {ok, a, d}, Events).

try_statement(Id, Enter, Init, Events) ->
    spawn_monitor(fun() -> run(Id, Enter, Init, Events) end).

%% Casts are all in the mailbox before the first is handled; a number is a pause in milliseconds.
run(Id, Enter, Init, Events) ->
    {ok, Machine} = gen_statem:start(?MODULE, {self(), Enter, Init}, []),
    {Before, After} = lists:splitwith(fun(Event) -> not is_integer(Event) end, Events),
    catch sys:suspend(Machine),
    send(Machine, Before),
    catch sys:resume(Machine),
    send(Machine, After),
    Trace = trace(),
    exit(Machine, kill),
    io:format("~s~s~n", [Id, ["|" ++ Line || Line <- Trace]]).

send(Machine, Events) ->
    lists:foreach(fun(Event) when is_integer(Event) -> timer:sleep(Event);
                     (Event) -> gen_statem:cast(Machine, Event)
                  end, Events).

%% What comes until nothing has come for longer than any time-out in the statements.
trace() -> receive {note, Line} -> [Line | trace()] after 200 -> [] end.

gives(Actions) -> fun(_) -> {keep_state_and_data, Actions} end.
to(State) -> to(State, []).
to(State, Actions) -> fun(_) -> {next_state, State, d, Actions} end.
later() -> fun(a) -> {keep_state_and_data, postpone}; (_) -> keep_state_and_data end.
on(Word, Do, Result) -> fun(_) -> put({on, Word}, Do), Result end.
keep(Actions) -> {keep_state_and_data, Actions}.
insert(Word) -> {next_event, internal, Word}.
st(Time, Word) -> {state_timeout, Time, Word}.
et(Time, Word) -> {timeout, Time, Word}.
gt(Name, Time, Word) -> {{timeout, Name}, Time, Word}.
entering(Result) -> fun(_, b) -> Result; (_, _) -> keep_state_and_data end.
entering_once(Result) ->
    fun(_, b) -> case put(entered, true) of undefined -> Result; true -> keep_state_and_data end;
       (_, _) -> keep_state_and_data
    end.
stay() -> fun(_, _) -> keep_state_and_data end.

main() ->
    logger:set_primary_config(level, none),
    A = {ok, a, d},
    try_statement("GS1", [later(),
                          to(b, [insert(i1), st(0, s), et(0, e), gt(n, 0, g), {next_event, cast, i2}]), queued]),
    try_statement("GS2", [gives([gt(n, 0, g), st(0, s), gt(m, 0, h)])]),
    try_statement("GS3", [gives([gt(n, 0, g), et(0, e), st(0, s)])]),
    try_statement("GS4", [gives([et(0, e), gt(n, 0, g), st(0, s)])]),
    try_statement("GS5", [gives([et(0, e)]), queued]),
    try_statement("GS6", [gives([st(0, s)]), queued]),
    try_statement("GS7", [on(s, fun(_) -> keep(insert(i)) end, keep([st(0, s), gt(n, 0, g)]))]),
    try_statement("GS8", [on(i, to(b), keep([st(0, s), gt(n, 0, g), insert(i)]))]),
    Repeat = fun(_) -> repeat_state_and_data end,
    try_statement("GS9", [gives([st(50, s)]), later(), Repeat, 50]),
    try_statement("GS10", stay(), A, [gives([st(50, s)]), later(), Repeat, 50]),
    try_statement("GS11", stay(), A, [gives([st(50, s)]), later(), to(a), 50]),
    try_statement("GS12", stay(), {ok, a, d, [insert(i), st(0, s)]}, []),
    try_statement("GS13", none, {ok, a, d, [postpone]}, [x, to(b)]),
    try_statement("GS14", entering(keep([st(0, enter)])), A, [to(b, [st(0, event), insert(i)])]),
    try_statement("GS15", entering(keep([postpone])), A, [to(b)]),
    try_statement("GS16", entering(keep([insert(i)])), A, [to(b)]),
    try_statement("GS17", entering({next_state, c, d}), A, [to(b)]),
    try_statement("GS18", fun(_, State) -> {next_state, State, d} end, A, [to(b)]),
    try_statement("GS19", entering_once(repeat_state_and_data), A, [to(b)]),
    try_statement("GS20", entering({stop, r}), A, [to(b)]),
    try_statement("GS21", [fun(_) -> rubbish end]),
    try_statement("GS22", [to(b, [rubbish])]),
    try_statement("GS23", [fun(_) -> throw({next_state, b, d}) end, queued]),
    try_statement("GS24", [on(i, fun(_) -> error(boom) end, {next_state, b, d, [insert(i)]})]),
    try_statement("GS25", [gives([st(30, old)]), gives([{state_timeout, update, new}, {{timeout, n}, update, fresh}]), 30]),
    try_statement("GS26", [gives([st(30, s), gt(n, 30, g), gt(m, 30, h)]),
                           gives([{state_timeout, cancel}, gt(n, infinity, g)]), 100]),
    try_statement("GS27", [gives([et(400, e)]), 10, any, 500]),
    try_statement("GS28", [gives([et(30, e), insert(i)]), 100]),
    try_statement("GS29", [gives([et(30, e)]), 30]),
    try_statement("GS30", [to(b, [gt(n, 30, one)]), to(c, [gt(n, 60, two)]), 60]),
    First = fun(a) -> keep(postpone); (_) -> keep(insert(first)) end,
    Second = fun(a) -> keep(postpone); (_) -> keep(insert(second)) end,
    try_statement("GS31", [First, Second, to(b), queued]),
    try_statement("GS32", [fun(a) -> {next_state, b, d, [postpone]}; (_) -> keep_state_and_data end, queued]),
    try_statement("GS33", [fun(a) -> {next_state, b, d, [postpone, {postpone, false}]}; (_) -> keep_state_and_data end]),
    try_statement("GS34", [on(s, later(), keep([st(10, s)])), 40, to(b)]),
    try_statement("GS35", [to(b, [st(30, s)]), 30]),
    try_statement("GS36", [gives([st(30, s)]), to(b), 100]),
    try_statement("GS37", [gives([st(0, one), gt(n, 0, g), st(0, two)])]),
    try_statement("GS38", [gives([st(0, one), st(30, two)]), queued, 30]),
    try_statement("GS39", [gives([st(0, one), {state_timeout, update, two}])]),
    try_statement("GS40", [gives([st(-1, s)])]),
    try_statement("GS41", stay(), A, [to(b, [et(30, e)]), 30]),
    [receive {'DOWN', _, process, _, _} -> ok end || _ <- lists:seq(1, 41)],
    init:stop().

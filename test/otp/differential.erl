%% Runs programs of test/differential/program.ts on the BEAM and prints their traces.
%%
%%   erlc differential.erl && erl -noshell -run differential main programs.txt 200
%%
%% reads programs, one Erlang term each, runs so many at a time, and prints one line of JSON per program:
%%
%%   [index, trace]
%%
%% For each program there is a collector. It starts role 0, is told by each process of each observation, watches all
%% processes, and waits until nothing happens any more: no observation for `quiet_ms`, twice, and in between every
%% process waits. Then those that still wait are asked for the rest of their mailboxes.
%% Timers and timeouts tell when they are early; nobody can tell when they are late.
-module(differential).
-export([main/1]).

%% More than the longest delay of a program, which is 4 ms.
-define(quiet_ms, 10).

main([File, Slots]) ->
    {ok, Programs} = file:consult(File),
    Main = self(),
    SlotsCount = list_to_integer(Slots),
    [Main ! {free, Slot} || Slot <- lists:seq(1, SlotsCount)],
    lists:foreach(
        fun({Index, Program}) ->
            receive {free, Slot} -> ok end,
            spawn_link(fun() ->
                Trace = collect(Slot, Program),
                Main ! {trace, [$[, integer_to_list(Index), $,, Trace, $], $\n]},
                Main ! {free, Slot}
            end),
            print()
        end,
        Programs
    ),
    [receive {free, Slot} -> ok end || Slot <- lists:seq(1, SlotsCount)],
    print(),
    erlang:halt(0).

print() ->
    receive {trace, Line} -> io:put_chars(Line), print() after 0 -> ok end.

%% --- the collector ---

%% pids: role => pid; roles: pid => role; live: pid => monitor; seen: role => observations, last first; ends: role => end
collect(Slot, Program) ->
    process_flag(message_queue_data, on_heap),
    Env = #{collector => self(), slot => Slot, program => Program},
    Pid = spawn(fun() -> run(Env, 0, #{}) end),
    State = #{roles => #{Pid => 0}, live => #{}, seen => #{}, ends => #{}},
    case ask_for_rest(until_quiet(watch(Pid, State))) of
        {complete, Complete} ->
            json(Program, Complete);
        {disturbed, Disturbed} ->
            end_all(Disturbed),
            collect(Slot, Program)
    end.

watch(Pid, State = #{live := Live, roles := Roles, ends := Ends}) ->
    case maps:is_key(Pid, Live) orelse maps:is_key(maps:get(Pid, Roles), Ends) of
        true -> State;
        false -> State#{live := Live#{Pid => erlang:monitor(process, Pid)}}
    end.

until_quiet(State) ->
    {_, Calm} = listen(State),
    Before = all_wait(Calm),
    case listen(Calm) of
        {quiet, Same} when Before -> Same;
        {_, Next} -> until_quiet(Next)
    end.

%% Until nothing comes for a while; busy when something came.
listen(State) -> listen(State, quiet).

listen(State, Activity) ->
    receive
        Heard -> listen(hear(Heard, State), busy)
    after ?quiet_ms -> {Activity, State}
    end.

hear({began, Role, Pid}, State = #{roles := Roles, seen := Seen}) ->
    watch(Pid, State#{roles := Roles#{Pid => Role}, seen := Seen#{Role => maps:get(Role, Seen, [])}});
hear({spawned, Parent, Role, Pid}, State = #{roles := Roles}) ->
    hear({observed, Parent, ok}, watch(Pid, State#{roles := Roles#{Pid => Role}}));
hear({observed, Role, Observation}, State = #{seen := Seen}) ->
    State#{seen := Seen#{Role => [Observation | maps:get(Role, Seen, [])]}};
hear({'DOWN', _, process, Pid, Reason}, State = #{live := Live, roles := Roles, ends := Ends}) ->
    #{Pid := Role} = Roles,
    State#{live := maps:remove(Pid, Live), ends := Ends#{Role => {ended, Reason}}}.

all_wait(#{live := Live}) ->
    lists:all(fun(Pid) -> process_info(Pid, status) =:= {status, waiting} end, maps:keys(Live)).

%% All are asked before any is ended, so that no end shows in another's mailbox. On a machine that stood still something
%% may happen after all; then the trace is not complete, and the program runs again.
ask_for_rest(State = #{live := Live}) ->
    Pids = maps:keys(Live),
    [Pid ! {finish, self()} || Pid <- Pids],
    await_rest(length(Pids), State).

await_rest(0, State = #{live := Live}) ->
    [exit(Pid, kill) || Pid <- maps:keys(Live)],
    [receive {'DOWN', Monitor, process, _, _} -> ok end || Monitor <- maps:values(Live)],
    {complete, State};
await_rest(Count, State = #{roles := Roles, ends := Ends}) ->
    receive
        {rest, Pid, Rest} -> await_rest(Count - 1, State#{ends := Ends#{maps:get(Pid, Roles) => {waiting, Rest}}});
        Other -> {disturbed, hear(Other, State)}
    end.

%% Also what was spawned meanwhile.
end_all(State = #{live := Live}) ->
    [exit(Pid, kill) || Pid <- maps:keys(Live)],
    receive
        {rest, _, _} -> end_all(State);
        Heard -> end_all(hear(Heard, State))
    after ?quiet_ms ->
        case map_size(Live) of
            0 -> ok;
            _ -> end_all(State)
        end
    end.

%% --- a process ---

%% knows: role => pid; refs: position => monitor or timer
run(Env = #{collector := Collector, program := Program}, Role, Knows) ->
    Collector ! {began, Role, self()},
    Self = Env#{role => Role, knows => Knows#{Role => self()}, refs => #{}},
    perform(lists:nth(Role + 1, Program), 0, Self).

perform([], _, _) -> ok;
perform([park | _], _, Env) -> take(none, infinity, Env);
perform([{exitSelf, Reason} | _], _, Env) -> tell(ok, Env), exit(reason(Reason));
perform([Instruction | Next], At, Env) ->
    {Observation, After} = instruction(Instruction, At, Env),
    case Observation of
        {spawned, Role, Pid} -> maps:get(collector, Env) ! {spawned, maps:get(role, Env), Role, Pid};
        _ -> tell(Observation, Env)
    end,
    perform(Next, At + 1, After).

tell(Observation, #{collector := Collector, role := Role}) -> Collector ! {observed, Role, Observation}.

instruction({spawn, Role, How}, At, Env = #{knows := Knows, refs := Refs}) ->
    Child = maps:without([role, knows, refs], Env),
    Body = fun() -> run(Child, Role, Knows) end,
    case How of
        monitor ->
            {Pid, Ref} = spawn_monitor(Body),
            {{spawned, Role, Pid}, Env#{knows := Knows#{Role => Pid}, refs := Refs#{At => Ref}}};
        _ ->
            Pid = case How of link -> spawn_link(Body); spawn -> spawn(Body) end,
            {{spawned, Role, Pid}, Env#{knows := Knows#{Role => Pid}}}
    end;
instruction({introduce, Who, To}, At, Env = #{role := Role}) ->
    about([Who, To], Env, fun([WhoPid, ToPid]) -> ToPid ! {introduced, Role, At, Who, WhoPid}, ok end);
instruction({await, Who}, _, Env = #{knows := Knows}) ->
    case Knows of
        #{Who := _} -> {ok, Env};
        _ ->
            receive
                {introduced, From, At, Who, Pid} ->
                    {{introduced, From, At, Who}, Env#{knows := Knows#{Who => Pid}}};
                {finish, Collector} -> finish(Collector, Env)
            end
    end;
instruction({send, To, Tag}, At, Env) ->
    about([To], Env, fun([Pid]) -> Pid ! message(At, Tag, none, Env), ok end);
instruction({sendName, Name, Tag}, At, Env) ->
    {guarded(fun() -> name(Name, Env) ! message(At, Tag, none, Env), ok end), Env};
instruction({'receive', Match, TimeoutMs}, _, Env) ->
    {take(Match, TimeoutMs, Env), Env};
instruction({link, To}, _, Env) ->
    about([To], Env, fun([Pid]) -> guarded(fun() -> link(Pid) end) end);
instruction({unlink, To}, _, Env) ->
    about([To], Env, fun([Pid]) -> unlink(Pid) end);
instruction({monitor, To}, At, Env = #{knows := Knows, refs := Refs}) ->
    case Knows of
        #{To := Pid} -> {ok, Env#{refs := Refs#{At => monitor(process, Pid)}}};
        _ -> {unknown, Env}
    end;
instruction({monitorName, Name}, At, Env = #{refs := Refs}) ->
    {ok, Env#{refs := Refs#{At => monitor(process, name(Name, Env))}}};
instruction({demonitor, Monitor, Flush}, _, Env = #{refs := Refs}) ->
    Options = case Flush of true -> [info, flush]; false -> [info] end,
    case Refs of
        #{Monitor := Ref} -> {demonitor(Ref, Options), Env};
        _ -> {false, Env}
    end;
instruction({exit, To, Reason}, _, Env) ->
    about([To], Env, fun([Pid]) -> exit(Pid, reason(Reason)) end);
instruction({trapExit, On}, _, Env) ->
    {process_flag(trap_exit, On), Env};
instruction({register, Name, Who}, _, Env) ->
    about([Who], Env, fun([Pid]) -> guarded(fun() -> register(name(Name, Env), Pid) end) end);
instruction({unregister, Name}, _, Env) ->
    {guarded(fun() -> unregister(name(Name, Env)) end), Env};
instruction({whereis, Name}, _, Env) ->
    {whereis(name(Name, Env)), Env};
instruction({isAlive, Who}, _, Env) ->
    about([Who], Env, fun([Pid]) -> is_process_alive(Pid) end);
instruction({sendAfter, DelayMs, To, Tag}, At, Env) ->
    timer(To, At, Env, fun(Pid) -> erlang:send_after(DelayMs, Pid, message(At, Tag, due_us(DelayMs), Env)) end);
instruction({sendAfterName, DelayMs, Name, Tag}, At, Env = #{refs := Refs}) ->
    Ref = erlang:send_after(DelayMs, name(Name, Env), message(At, Tag, due_us(DelayMs), Env)),
    {ok, Env#{refs := Refs#{At => Ref}}};
instruction({startTimer, DelayMs, To, Tag}, At, Env) ->
    timer(To, At, Env, fun(Pid) -> erlang:start_timer(DelayMs, Pid, message(At, Tag, due_us(DelayMs), Env)) end);
instruction({cancelTimer, Timer}, _, Env = #{refs := Refs}) ->
    case Refs of
        #{Timer := Ref} -> {is_integer(erlang:cancel_timer(Ref)), Env};
        _ -> {false, Env}
    end;
instruction({pause, DurationMs}, _, Env) ->
    Due = due_us(DurationMs),
    receive after DurationMs -> {in_time(Due, ok), Env} end.

timer(To, At, Env = #{knows := Knows, refs := Refs}, Start) ->
    case Knows of
        #{To := Pid} -> {ok, Env#{refs := Refs#{At => Start(Pid)}}};
        _ -> {unknown, Env}
    end.

about(Roles, Env = #{knows := Knows}, Do) ->
    case lists:all(fun(Role) -> maps:is_key(Role, Knows) end, Roles) of
        true -> {Do([maps:get(Role, Knows) || Role <- Roles]), Env};
        false -> {unknown, Env}
    end.

guarded(Do) ->
    try Do() catch error:Reason -> Reason end.

%% Programs that run at the same time have names of their own.
name(Name, #{slot := Slot}) -> list_to_atom(lists:concat([Name, "_", Slot])).

message(At, Tag, DueUs, #{role := Role}) -> {message, Role, At, Tag, DueUs}.

reason({tagged, Number}) -> {tagged, Number};
reason(Reason) -> Reason.

due_us(DelayMs) -> erlang:monotonic_time(microsecond) + DelayMs * 1000.

in_time(none, Observation) -> Observation;
in_time(DueUs, Observation) ->
    case erlang:monotonic_time(microsecond) >= DueUs of true -> Observation; false -> early end.

%% --- receiving ---

take(Match, infinity, Env) -> told(pick(Match, infinity), Env);
take(Match, TimeoutMs, Env) ->
    Due = due_us(TimeoutMs),
    case pick(Match, TimeoutMs) of
        timeout -> in_time(Due, timeout);
        Message -> told(Message, Env)
    end.

told({finish, Collector}, Env) -> finish(Collector, Env);
told(Message, #{refs := Refs}) -> observation(Message, Refs).

%% Only who waits for ever is asked to finish.
pick(any, infinity) ->
    receive
        M = {message, _, _, _, _} -> M;
        M = {timeout, _, _} -> M;
        M = {'EXIT', _, _} -> M;
        M = {'DOWN', _, _, _, _} -> M;
        M = {finish, _} -> M
    end;
pick(exit, infinity) -> receive M = {'EXIT', _, _} -> M; M = {finish, _} -> M end;
pick(down, infinity) -> receive M = {'DOWN', _, _, _, _} -> M; M = {finish, _} -> M end;
pick(timeout, infinity) -> receive M = {timeout, _, _} -> M; M = {finish, _} -> M end;
pick(none, infinity) -> receive M = {finish, _} -> M end;
pick(Tag, infinity) -> receive M = {message, _, _, Tag, _} -> M; M = {finish, _} -> M end;
pick(any, Ms) ->
    receive
        M = {message, _, _, _, _} -> M;
        M = {timeout, _, _} -> M;
        M = {'EXIT', _, _} -> M;
        M = {'DOWN', _, _, _, _} -> M
    after Ms -> timeout
    end;
pick(exit, Ms) -> receive M = {'EXIT', _, _} -> M after Ms -> timeout end;
pick(down, Ms) -> receive M = {'DOWN', _, _, _, _} -> M after Ms -> timeout end;
pick(timeout, Ms) -> receive M = {timeout, _, _} -> M after Ms -> timeout end;
pick(Tag, Ms) -> receive M = {message, _, _, Tag, _} -> M after Ms -> timeout end.

observation({message, From, At, Tag, DueUs}, _) -> in_time(DueUs, {message, From, At, Tag});
observation({timeout, Ref, {message, From, At, Tag, DueUs}}, Refs) ->
    %% Only its owner knows the ref; for others the message says whose it is.
    Known = [Position || {Position, Other} <- maps:to_list(Refs), Other =:= Ref],
    case Known =:= [] orelse Known =:= [At] of
        true -> in_time(DueUs, {timeout, From, At, Tag});
        false -> wrong_ref
    end;
observation({introduced, From, At, Who, _}, _) -> {introduced, From, At, Who};
observation({'EXIT', From, Reason}, _) -> {exit, From, Reason};
observation({'DOWN', Ref, process, Of, Reason}, Refs) ->
    case [Position || {Position, Other} <- maps:to_list(Refs), Other =:= Ref] of
        [At] -> {down, At, Of, Reason};
        [] -> wrong_ref
    end;
observation(Other, _) -> {strange, Other}.

%% Waits to be ended: an end by itself would show in other mailboxes.
finish(Collector, #{refs := Refs}) ->
    Collector ! {rest, self(), [observation(Message, Refs) || Message <- rest()]},
    receive after infinity -> ok end.

rest() ->
    receive Message -> [Message | rest()] after 0 -> [] end.

%% --- JSON ---

json(Program, #{roles := Roles, seen := Seen, ends := Ends}) ->
    list([process(Role, Roles, Seen, Ends) || Role <- lists:seq(0, length(Program) - 1)]).

process(Role, Roles, Seen, Ends) ->
    case Seen of
        #{Role := Observed} ->
            [
                "{\"observed\":", list([text(One, Roles) || One <- lists:reverse(Observed)]),
                ",\"end\":", ending(maps:get(Role, Ends), Roles), "}"
            ];
        _ -> "null"
    end.

ending({ended, noproc}, _) -> "{\"kind\":\"ended\",\"reason\":\"unknown\"}";
ending({ended, Reason}, _) -> ["{\"kind\":\"ended\",\"reason\":", reason_text(Reason), "}"];
ending({waiting, Rest}, Roles) ->
    ["{\"kind\":\"waiting\",\"rest\":", list([text(One, Roles) || One <- Rest]), "}"].

text({exit, From, Reason}, Roles) -> list([quoted("exit"), role(From, Roles), reason_text(Reason)]);
text({down, At, {Name, _Node}, Reason}, _) ->
    list([quoted("down"), integer_to_list(At), quoted(hd(atom_to_list(Name))), reason_text(Reason)]);
text({down, At, Of, Reason}, Roles) ->
    list([quoted("down"), integer_to_list(At), role(Of, Roles), reason_text(Reason)]);
text({introduced, From, At, Who}, _) ->
    list([quoted("introduced"), integer_to_list(From), integer_to_list(At), integer_to_list(Who)]);
text({Kind, From, At, Tag}, _) ->
    list([quoted(Kind), integer_to_list(From), integer_to_list(At), quoted(Tag)]);
text(Pid, Roles) when is_pid(Pid) -> list([quoted("pid"), role(Pid, Roles)]);
text(Word, _) when is_atom(Word) -> quoted(Word);
text(Other, _) -> quoted(io_lib:format("~w", [Other])).

role(Pid, Roles) -> integer_to_list(maps:get(Pid, Roles, -1)).

reason_text({tagged, Number}) -> quoted(lists:concat(["tagged:", Number]));
reason_text(Word) when is_atom(Word) -> quoted(Word);
reason_text(Other) -> quoted(io_lib:format("~w", [Other])).

list(Items) -> [$[, lists:join($,, Items), $]].

quoted(Word) when is_atom(Word) -> [$", atom_to_list(Word), $"];
quoted(Character) when is_integer(Character) -> [$", Character, $"];
quoted(Text) -> [$", [C || C <- lists:flatten(Text), C =/= $", C =/= $\\], $"].

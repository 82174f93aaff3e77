%% The benchmarks of colos, as Erlang programs.
%%
%%   erlc bench_otp.erl && erl -noshell +P 3000000 -run bench_otp main spawn 300000 3
%%
%% runs one benchmark with so many operations, once to warm up and so many times measured, and prints one JSON line:
%%
%%   {"name":"spawn","unit":"us/op","value":1.23,"median":1.31,"samples":[1.31,1.23,1.40],"operations":300000}
%%
%% `value` is the best sample; smaller is better everywhere. Without arguments it prints what the machine runs.
%% `memory` has no warm-up, and only the first sample of a fresh system is honest: give it one repetition.
%% Each measurement starts in a process of its own, so that no heap grown by one of them helps the next.
-module(bench_otp).
-behaviour(gen_server).

-export([main/0, main/1]).
-export([init/1, handle_call/3, handle_cast/2]).

main() ->
    io:format("{\"about\":\"Erlang/OTP ~s, ~s, ~b schedulers\"}~n", [
        erlang:system_info(otp_release),
        erlang:system_info(emu_flavor),
        erlang:system_info(schedulers_online)
    ]),
    halt(0).

main([Name, Operations, Repetitions]) ->
    run(list_to_existing_atom(Name), list_to_integer(Operations), list_to_integer(Repetitions)),
    halt(0).

run(Name, Operations, Repetitions) ->
    ok = warm_up(Name, Operations),
    Samples = [measure(Name, Operations) || _ <- lists:seq(1, Repetitions)],
    Sorted = lists:sort(Samples),
    io:format(
        "{\"name\":\"~s\",\"unit\":\"~s\",\"value\":~.4f,\"median\":~.4f,\"samples\":[~s],\"operations\":~b}~n",
        [Name, unit(Name), hd(Sorted), median(Sorted), text(Samples), Operations]
    ).

%% What ran before is freed late and would count as memory that the next processes do not need.
warm_up(memory, _) -> ok;
warm_up(Name, Operations) -> _ = measure(Name, Operations), ok.

unit(memory) -> "bytes/process";
unit(_) -> "us/op".

median(Sorted) ->
    Count = length(Sorted),
    (lists:nth((Count + 1) div 2, Sorted) + lists:nth(Count div 2 + 1, Sorted)) / 2.

text(Samples) ->
    lists:join(",", [io_lib:format("~.4f", [Sample]) || Sample <- Samples]).

%% One sample, taken in a fresh process.
measure(Name, Operations) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({sample, sample(Name, Operations)}) end),
    receive
        {'DOWN', Monitor, process, Pid, {sample, Sample}} -> Sample;
        {'DOWN', Monitor, process, Pid, Reason} -> io:format("~s: ~p~n", [Name, Reason]), halt(1)
    end.

sample(memory, Count) ->
    memory(Count);
sample(Name, Operations) ->
    Prepared = prepare(Name),
    Start = erlang:monotonic_time(nanosecond),
    ok = work(Name, Operations, Prepared),
    Elapsed = erlang:monotonic_time(nanosecond) - Start,
    clean(Name, Prepared),
    Elapsed / 1000 / Operations.

%% What stands before the clock starts.

prepare(spawn) -> erlang:system_info(process_count);
prepare(ping_pong) -> spawn(fun pong/0);
prepare(ring) -> ring(1000);
prepare(call) -> {ok, Server} = gen_server:start(?MODULE, [], []), Server;
prepare(_) -> none.

clean(ping_pong, Pong) -> exit(Pong, kill);
clean(ring, First) -> First ! stop;
clean(call, Server) -> gen_server:stop(Server);
clean(_, _) -> ok.

%% spawn: processes that end at once. All of them have ended when it returns.
work(spawn, Count, Before) ->
    spawn_many(Count),
    await_count(Before);
%% spawn_monitor_down: one at a time, each with its notice of the end.
work(spawn_monitor_down, Count, _) ->
    spawn_monitored(Count);
%% ping_pong: round trips between two processes.
work(ping_pong, Trips, Pong) ->
    ping(Pong, Trips);
%% ring: so many hops of one message in a ring of 1,000 processes.
work(ring, Hops, First) ->
    First ! {Hops, self()},
    receive
        done -> ok
    end;
%% call: gen_server:call, one after the other.
work(call, Count, Server) ->
    calls(Server, Count);
%% flood: one process sends so many messages to another, which takes them all.
work(flood, Count, _) ->
    Parent = self(),
    Sink = spawn(fun() -> sink(Count, Parent) end),
    send_many(Sink, Count),
    receive
        done -> ok
    end;
%% skynet: a tree of processes, ten children each, whose leaves send their numbers up to be added.
work(skynet, Leaves, _) ->
    Parent = self(),
    spawn(fun() -> skynet(Parent, 0, Leaves) end),
    Sum = Leaves * (Leaves - 1) div 2,
    receive
        Sum -> ok
    end.

spawn_many(0) -> ok;
spawn_many(Count) ->
    spawn(fun() -> ok end),
    spawn_many(Count - 1).

await_count(Before) ->
    case erlang:system_info(process_count) =< Before of
        true -> ok;
        false -> erlang:yield(), await_count(Before)
    end.

spawn_monitored(0) -> ok;
spawn_monitored(Count) ->
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive
        {'DOWN', Monitor, process, Pid, normal} -> spawn_monitored(Count - 1)
    end.

ping(_, 0) -> ok;
ping(Pong, Count) ->
    Pong ! {ping, self()},
    receive
        pong -> ping(Pong, Count - 1)
    end.

pong() ->
    receive
        {ping, From} -> From ! pong, pong()
    end.

%% A ring of Size processes; returns its first.
ring(Size) ->
    First = spawn(fun() -> receive {next, Next} -> hop(Next) end end),
    Last = lists:foldl(fun(_, Next) -> spawn(fun() -> hop(Next) end) end, First, lists:seq(2, Size)),
    First ! {next, Last},
    First.

hop(Next) ->
    receive
        {0, Parent} -> Parent ! done, hop(Next);
        {Hops, Parent} -> Next ! {Hops - 1, Parent}, hop(Next);
        stop -> Next ! stop
    end.

calls(_, 0) -> ok;
calls(Server, Count) ->
    pong = gen_server:call(Server, ping),
    calls(Server, Count - 1).

send_many(_, 0) -> ok;
send_many(To, Count) ->
    To ! Count,
    send_many(To, Count - 1).

sink(0, Parent) -> Parent ! done;
sink(Count, Parent) ->
    receive
        _ -> sink(Count - 1, Parent)
    end.

skynet(Parent, Number, 1) -> Parent ! Number;
skynet(Parent, Number, Size) ->
    Self = self(),
    Part = Size div 10,
    [spawn(fun() -> skynet(Self, Number + Index * Part, Part) end) || Index <- lists:seq(0, 9)],
    Parent ! sum(10, 0).

sum(0, Total) -> Total;
sum(Count, Total) ->
    receive
        Number -> sum(Count - 1, Total + Number)
    end.

%% memory: bytes of one idle process that waits in receive. What this process itself grew by does not count.
memory(Count) ->
    Processes = erlang:system_info(process_count),
    Before = others_memory(),
    Pids = spawn_idle(Count, []),
    Used = others_memory() - Before,
    lists:foreach(fun(Pid) -> exit(Pid, kill) end, Pids),
    ok = await_count(Processes),
    Used / Count.

others_memory() ->
    erlang:garbage_collect(),
    {memory, Own} = erlang:process_info(self(), memory),
    erlang:memory(processes) - Own.

spawn_idle(0, Pids) -> Pids;
spawn_idle(Count, Pids) ->
    Self = self(),
    Pid = spawn(fun() -> Self ! waiting, receive stop -> ok end end),
    receive
        waiting -> spawn_idle(Count - 1, [Pid | Pids])
    end.

%% The server of `call`.

init([]) -> {ok, none}.

handle_call(ping, _From, State) -> {reply, pong, State}.

handle_cast(_, State) -> {noreply, State}.

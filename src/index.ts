/**
 * colos: processes, links, monitors and supervision for TypeScript, with Erlang/OTP's process model.
 *
 * @module
 */
export {
  FileError,
  isFileError,
  nameMaxChars,
  pathMaxChars,
  type FileErrorCode,
  type FileErrorOptions,
  type FileFacts,
  type FileOperation,
  type FileSystem,
  type OpenFile,
  type OpenOptions,
  type Space,
} from "./base/file-system.ts";
export {
  appendAll,
  makeDirectories,
  readAll,
  readFile,
  readMaxBytes,
  replaceFile,
  replacementSuffix,
  writeAll,
} from "./base/whole-files.ts";
export {
  addressText,
  backlogMaxDefault,
  bufferMaxBytesDefault,
  connectTimeoutMsDefault,
  isIpAddress,
  NetworkError,
  networkError,
  portMax,
  type Address,
  type Connection as NetworkConnection,
  type ConnectOptions,
  type HandleOwner,
  type Listener,
  type ListenOptions,
  type Network,
  type NetworkErrorCode,
  type Owned,
  type ReadOptions,
} from "./base/network.ts";
export type { Context, EndpointSummary, Implementation, Restriction, Stub as ContextStub } from "./context/context.ts";
export { ContextError, type ContextErrorCode } from "./context/error.ts";
export {
  defineInterface,
  endpoint,
  streamEndpoint,
  type Effect,
  type Endpoint,
  type EndpointOptions,
  type Endpoints,
  type EndpointsOf,
  type Interface,
} from "./context/interface.ts";
export { nothing, type Schema, type SchemaIssue, type SchemaResult } from "./context/schema.ts";
export { serve } from "./context/serve.ts";
export { isContext, restrict, revoke, stub, type StubOptions as ContextStubOptions } from "./context/stub.ts";
export type { Clock, LogLevel, Milliseconds, Platform, Scheduling, Strays } from "./base/platform.ts";
export {
  carrierDown,
  describeReason,
  Exit,
  isOrderly,
  isTagged,
  osExitReason,
  ProcessEnded,
  isNoProcess,
  reasonOfThrown,
  shutdown,
  type CallFailed,
  type CarrierDown,
  type ExitReason,
  type ExitStatus,
  type Shutdown,
  type Signalled,
  type Tagged,
} from "./kernel/exit-reason.ts";
export { ancestorsMax, callersMax, callersOf, endedAncestorsMax, type Ancestor } from "./kernel/ancestry.ts";
export { handleCloseMs, type Handle } from "./kernel/handle.ts";
export { Kernel, type KernelOptions } from "./kernel/kernel.ts";
export type { Connection, ConnectionInfo } from "./kernel/connection.ts";
export { HeldTooLongError, heldMaxMsDefault, overshootMax } from "./kernel/gate.ts";
export { MailboxFullError, messagesMaxDefault, type MailboxLimit, type MailboxPolicy } from "./kernel/mailbox.ts";
export {
  endOfInput,
  isDown,
  isExit,
  type DownMessage,
  type EndOfInput,
  type ExitMessage,
  type OutputMessage,
  type TimeoutMessage,
} from "./kernel/message.ts";
export { Pid, Ref, type AnyPid } from "./kernel/pid.ts";
export {
  callTimeoutMsDefault,
  Process,
  StartError,
  timedOut,
  type AnyProcess,
  type MonitorOptions,
  type ProcessInfo,
  type Reactor,
  type SpawnOptions,
  type StartOptions,
  type TimedOut,
} from "./kernel/process.ts";
export {
  inspectTimeoutMsDefault,
  messagesShownMaxDefault,
  NoAnswerError,
  relationsShownMax,
  type HostFacts,
  type ProcessDetails,
  type ProcessStatus,
  type WaitsFor,
} from "./kernel/inspect.ts";
export * from "./kernel/introspection.ts";
export { windowMsDefault, type Member, type TopBy, type TopEntry } from "./kernel/top.ts";
export {
  traceKinds,
  traceMessagesMaxDefault,
  tracePerSecondMaxDefault,
  type TraceEnded,
  type TraceEvent,
  type TraceKind,
  type TraceLimits,
  type TraceMessage,
  type TraceSubject,
} from "./kernel/trace.ts";
export type { Work } from "./kernel/observer.ts";
export {
  command,
  defineProgram,
  program,
  type Body,
  type CommandLine,
  type DefinedProgram,
  type HostOptions,
  type OutputSink,
  type Program,
  type ProgramFile,
} from "./kernel/program.ts";
export { Request } from "./kernel/request.ts";
export {
  ChannelFullError,
  MessageTooLargeError,
  type ChannelLimit,
  type ChannelPolicy,
  type ChannelState,
} from "./kernel/signal.ts";
export type { Claim, Via } from "./kernel/via.ts";
export { UncopyableError } from "./kernel/wire.ts";
export type { Carrier, CarrierName, ProgramLoader } from "./carriers/carrier.ts";
export { commandCarrier } from "./carriers/command.ts";
export { coroutineCarrier } from "./carriers/coroutine.ts";
export { osProcessCarrier, type OsProcessCarrierOptions } from "./carriers/os-process.ts";
export { threadCarrier, type ThreadCarrierOptions } from "./carriers/thread.ts";
export { nodeFileSystem } from "./platforms/node/node-file-system.ts";
export { nodeNetwork, type NodeNetworkOptions } from "./platforms/node/node-network.ts";
export { nodePlatform, type NodePlatformOptions } from "./platforms/node/node-platform.ts";
export {
  blockedMsDefault,
  blockedMsMin,
  endlessMsDefault,
  type Block,
  type LoopDelay,
  type Watchdog,
  type WatchdogOptions,
} from "./platforms/node/watchdog.ts";
export type { BlockFrame } from "./platforms/node/watchdog-memory.ts";
export {
  defineGroups,
  Groups,
  GroupsFullError,
  isGroupMessage,
  membershipsMaxDefault,
  publicationsWaitingMax,
  relayWaitingMaxBytes,
  startGroups,
  type GroupMessage,
  type GroupsInfo,
  type GroupsOptions,
  type PublishOptions,
} from "./server/groups.ts";
export { keyCharactersMax, keyDepthMax, keyHash } from "./server/key.ts";
export {
  defineRegistry,
  Registry,
  registryEntriesMaxDefault,
  startRegistry,
  via,
  registryWaitersMax,
  type RegisterProblem,
  type RegisterResult,
  type RegistryEntry,
  type RegistryMessage,
  type RegistryOptions,
} from "./server/registry.ts";
export { currentCall, type Invocation, type UndefinedMethod } from "./server/invocation.ts";
export * from "./server/requests.ts";
export * from "./server/server.ts";
export * from "./server/state-machine.ts";
export * from "./server/stub.ts";
export * as sys from "./server/sys.ts";
export {
  logEventsMaxDefault,
  logEventsMaxMax,
  traceEventsMaxDefault,
  type SystemEvent,
  type SystemEventMessage,
  type SystemRefusal,
  type SystemStatistics,
  type SystemStatus,
  type TraceTarget,
} from "./server/system.ts";
export { defineDynamicSupervisor, startDynamicSupervisor } from "./supervisor/dynamic-supervisor.ts";
export {
  definePartitionSupervisor,
  partitionFor,
  partitionOf,
  partitionsMax,
  startPartitionSupervisor,
  type PartitionOptions,
} from "./supervisor/partition-supervisor.ts";
export {
  countChildren,
  defineSupervisor,
  deleteChild,
  findChild,
  getChildSpec,
  restartChild,
  startChild,
  startSupervisor,
  terminateChild,
  whichChildren,
  type ChildCounts,
  type ChildInfo,
  type SupervisorInit,
  type SupervisorResult,
} from "./supervisor/supervisor.ts";
export { startTask, type SupervisedTaskOptions } from "./supervisor/task-supervisor.ts";
export {
  defineTask,
  maxConcurrencyDefault,
  ownerWaitMsMax,
  Task,
  taskShutdownMsDefault,
  taskTimeoutMsDefault,
  type StreamOptions,
  type StreamOutcome,
  type TaskFailed,
  type TaskOutcome,
  type TaskProgram,
  type TaskSource,
  type TaskTimeout,
  type TaskWork,
} from "./server/task.ts";
export {
  child,
  maxRestartsDefault,
  periodMsDefault,
  shutdownMsDefault,
  type AutoShutdown,
  type Backoff,
  type ChildSpec,
  type ChildSpecInfo,
  type FullChildSpec,
  type RestartPolicy,
  type ShutdownPolicy,
  type SpecProblem,
  type StartChild,
  type Strategy,
  type SupervisorEvent,
  type SupervisorFlags,
} from "./supervisor/child-spec.ts";
export { defineConfig, type ReadyConfig, type ServiceConfig, type SystemConfig } from "./control/config.ts";
export { drainOnStop, type DrainOptions } from "./platforms/node/drain.ts";
export { listenOptions } from "./platforms/node/listen-options.ts";
export { awaitTurn } from "./platforms/node/standby.ts";
export { createSystem, nodeCarriers, type System, type SystemOptions } from "./node-system.ts";

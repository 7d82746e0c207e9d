"""What the gateway is tested with, for plugin authors too: real servers on real sockets that behave or misbehave.

Import the part you need: `demo` (a friendly model), `upstream` and `faults` (scripted answers and failures),
`unreachable` (nobody answers), `postgrest` (the `models` table of a Supabase project), `running` (the whole gateway as
a process), `client` (a client that shows every byte), `told` (what those bytes tell a client).
"""

"""Words into which letters that were set apart or run together are cut again: those that rules look for,
and the commonest ones between them."""

from __future__ import annotations

_ALL = """
a i an the this that these those all any every each some no not none and or but nor so if then else than
as at by for from in into of off on onto out over to up with without within about above after before below
between under is are was were be been being am do does did done doing have has had having can could will
would shall should may might must you your yours yourself me my mine myself we us our ours they them their
it its he she him her who whom whose which what when where why how now here there again also always ever
never only just please immediately instead forever ignore ignoring ignored disregard disregarding forget
forgetting bypass override overriding skip skipping cancel delete drop dismiss neglect omit stop cease
abandon discard erase suspend disable remove turn previous previously prior earlier preceding foregoing
former past initial original first last following next new old instruction instructions rule rules
guideline guidelines prompt prompts directive directives command commands order orders message messages
context text texts told said given received restriction restrictions policy policies constraint
constraints limit limits limitation limitations filter filters safety guard guardrail guardrails system
developer admin administrator assistant user users model models language ai gpt chatgpt bot chatbot reveal
show print output display repeat write say tell give return respond reply answer answers list leak expose
share send email forward post upload translate decode encode encoded execute run follow obey comply act
pretend behave become role play roleplay enter enable activate mode unlocked unrestricted jailbreak
jailbroken dan secret secrets password passwords key keys token tokens credential credentials confidential
hidden internal private api data information file files database code id ids name names word words
phrase begin start end exactly verbatim everything anything something nothing other one two three reversed
random make use using used read open call urgent emergency important attention
note warning critical hello hi test ok yes free full access grant permission permissions allow allowed
configuration settings setup tools functions function tool conversation history chat bomb weapon drug
drugs hack malware virus poem story joke letter letters number numbers
"""
WORDS = frozenset(_ALL.split())

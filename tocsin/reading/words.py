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
able account action actions actually add advice against agent agents agreed ahead alert alive almost along
already alternative although among amount another answered answering anyone apart apologise apologize appear
appears applies apply approve approved area around aside ask asked asking asks assist assume audit authorise
authorize available avoid away back bank based became because best better bit block blocked body book both
bound brand break breaking brief bring broken build built business buy called came candidate cannot capital
care caring case chains change changed channel character chats child choose circumstances city clear click
close come comes comment company complete completed confirm conscience consider content continue control
conversations cook copy cost country course create creator creators current customer customers date day dear
deceased decline decoded default describe describing detail details die difference different directions
disclaimer disclaimers discuss document documents dollars door down dump during early easy either emails
enough entire entirely entity environment ethical ethics even event everyone evil exact example except
exception exist existed expert explain explained explains face fact false family far feel few fictional
final find fine finish flag followed food forbid forbidden force form found freed freely friend further
future game gave general genius get gets getting gives giving go goes going gone good got grandma
grandmother granny granted great group guide hand happen happened harm harmful head hear help helpful
henceforth hide hiding high highest highlight hold home hour house however human humans hundred hypothetical
idea illegal image imagine include including increase inform insert inside insult instructed interest invite
invoices issue job join keep kept kind know knowledge known lack lacks large later latest laws layers lead
learn learned least leave lecture left legal less let level lie life lifted light like limited line lines
link links listed little live location log login long longer look lose lot love low made mail main makes
making man many mask matter mean means meant medical meet member memory mention mind minutes miss moment
money month moral morals more morning most mother move much naked named need needed needs negative night
normal notes object obeying offer office often once ones operate operating opinion opposite option options
ordered otherwise outside overlook own page paper paragraph parallel part parts party pass passphrase pay
payment people perform perhaps permitted person persona personal phrases picture piece pirate place plan
point possible power praise present press pretty price principles priority problem process processing
product products programmed programming promise prompted provide provided public purpose purposes put
question questions quick quote raw reach reader reading ready real really reason reboot receive recipe
recite recommend record refuse refuses refusing regardless remain remainder remember remind removed report
request requests require research reset rest result results review rewrite rhyme riddle right root safe
safely same save saying says scene school score script search second security see seem seen self sell
sentence sentences session set several short shown shut side sign silently simple simply simulate since sing
site situation sleep small society solve someone song soon sorry sort sound source space spam speak special
spell stands started starting starts state statement states stay step steps still stored stories street
string strong student study style subject such sum summarise summarize summary sun superior supersedes
support sure suspended table take takes taking talk task tasks taught teach team tells tense terminated
thank thanks themselves therefore thing things think third though thought thousand through time times title
today together tomorrow tonight too took top topic topics toward town trained training transfer translating
translation treat true trust truth try trying turned twice type unable uncensored understand unethical
unfiltered unless until update updated usual value variables verified verify version very view violate visit
void voice wait walk want wanted wants warn warnings watch water way ways website week well went whatever
wherever whether whichever while white whole wish woman wonder worked working works world worry worth writes
writing written wrong wrote year years yesterday yet young assignment capabilities censorship chatbots
conditions consent constrained conscious criminal dangerous deceive definitions destroy developers divulge
emulate enforce escape evade executed explicit fake fulfil hacker hackers hijack impersonate initialise
initialize injected injection inputs lying master moderation monitored neglected obligations obtain operator
outputs overridden owner parameters persuade pretending privileged prohibited protected protocol protocols
refer reference reject release released replace requirement revealed reveals reverse sandbox silence
simulation specified specify stealing steal summaries supervisor suppress tasked trusted unlimited
unconditionally victim violence vulnerable whisper
precedence guidance heed laid ignores carry
"""
WORDS = frozenset(_ALL.split())

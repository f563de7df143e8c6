#!/bin/bash
# A working cluster on this machine from a clone, in one command (Debian and Ubuntu): installs the build packages that
# are missing, builds, writes a configuration into a folder of its own, starts jctld and jnoded, runs a first job and
# shows its output. The cluster stays up.
#
#   contrib/quickstart.sh [--dir DIR] [--build-dir DIR] [--nodes N]
#   contrib/quickstart.sh --stop [--dir DIR]
#
#   --dir DIR        the folder that everything goes into (default: ./jarvis-demo)
#   --build-dir DIR  take the programs that are built there; nothing is installed or built
#   --nodes N        N node daemons, named n1 to nN, with folders and certificates of their own, that reach the
#                    controller over TLS and share the machine's cores; with fewer cores than nodes each gets a
#                    virtual one, to which jobs are not bound
#   --stop           stop the cluster of that folder; jobs that still run go on, and are found again by the next start
#   --help           this text
#
# Started by root, every user of the machine can use the cluster. Started by an ordinary user it is a personal one: jobs
# run as that user, and nothing needs a privilege.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
longest_socket_path=107         # sizeof(sockaddr_un::sun_path) - 1
ready_seconds=60
job_seconds=120

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
warn() { printf '%s\n' "quickstart: $*" >&2; }
die() { warn "$*"; exit 1; }
usage() { sed -n '2,20s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# --- what was asked ---------------------------------------------------------------------------------------------

demo=jarvis-demo
build=
stop=false
nodes=0                         # 0: one, called like the machine, by the controller's socket
most_nodes=256
while [[ $# -gt 0 ]]; do
    case $1 in
        --dir | --build-dir)
            [[ $# -ge 2 && -n $2 ]] || { warn "$1 needs a folder"; exit 2; }
            if [[ $1 == --dir ]]; then demo=$2; else build=$2; fi
            shift 2
            ;;
        --nodes) nodes=${2:-none}; shift; shift || true ;;
        --nodes=*) nodes=${1#*=}; shift ;;
        --dir=?*) demo=${1#*=}; shift ;;
        --build-dir=?*) build=${1#*=}; shift ;;
        --stop) stop=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) warn "unknown argument '$1' (see --help)"; exit 2 ;;
    esac
done
if [[ ! $nodes =~ ^[0-9]{1,3}$ ]] || (( 10#$nodes > most_nodes )); then
    warn "--nodes needs a number from 1 to $most_nodes"
    exit 2
fi
nodes=$((10#$nodes))
[[ $demo != *$'\n'* ]] || die "a folder whose name has a line break in it cannot be used"
if $stop && [[ ! -d $demo ]]; then
    die "there is no cluster in $demo"
fi
mkdir -p "$demo" || die "cannot make the folder $demo; name another with --dir"
demo=$(cd "$demo" && pwd -P)
[[ -w $demo ]] || die "cannot write into $demo; name another folder with --dir"

uid=$(id -u)
if [[ $uid == 0 ]]; then personal=false; else personal=true; fi
hash=$(printf '%s' "$demo" | sha256sum | cut -c 1-10)
software=$demo/software
config=$demo/jarvis.toml
pki=$demo/pki

# Sockets and the node's run-time folder are in the demo's own folder where its name is short enough for a UNIX socket's
# path, else in a short one, which is found again by the hash of the demo's name. Not in XDG_RUNTIME_DIR, which goes away
# when its user logs out.
choose_run_dir() {
    local longest="$demo/run/node/launcher.sock.12345678" # n256 is no longer than node
    if [[ ${#longest} -le $longest_socket_path ]]; then
        run=$demo/run
    elif [[ $uid == 0 ]]; then
        run=/run/jarvis-$hash
    else
        run=/tmp/jarvis-$uid-$hash
    fi
}

make_run_dir() {
    local mode=0700
    $personal || mode=0755
    mkdir -m "$mode" "$run" 2>/dev/null || true
    # Somebody else may have made a folder of this name in /tmp.
    [[ -O $run && ! -L $run ]] || die "$run belongs to somebody else; remove it, or name another folder with --dir"
    chmod "$mode" "$run"
}

# --- processes: ours are those that were started with this folder's configuration ---------------------------------

# daemon_pids NAME [FILE]: the pids of daemons that run with our configuration files, or with that one, whoever started
# them and whatever a pid file says.
daemon_pids() {
    local name=$1 folder word
    for folder in /proc/[0-9]*; do
        [[ -O $folder ]] || continue
        [[ $(cat "$folder/comm" 2>/dev/null) == "$name" ]] || continue
        while IFS= read -r -d '' word; do
            if [[ $# == 2 ]]; then
                [[ $word == "$2" ]] || continue
            else
                [[ $word == "$config" || $word == "$demo"/nodes/*/jarvis.toml || $word == "$run"/*/launcher.sock ]] || continue
            fi
            echo "${folder#/proc/}"
            break
        done 2>/dev/null <"$folder/cmdline"
    done
}

stop_daemon() {
    local name=$1 pids pid
    mapfile -t pids < <(daemon_pids "$name")
    [[ ${#pids[@]} -gt 0 ]] || return 0
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for _ in $(seq 300); do
        [[ -n $(daemon_pids "$name") ]] || { say "stopped $name"; return 0; }
        sleep 0.1
    done
    warn "$name (process ${pids[*]}) does not stop; see $demo/log"
    return 1
}

running_jobs() { "$software/bin/jqueue" -t R,CG,S --format id 2>/dev/null | grep -c '^ *[0-9]' || true; }

# A run-time folder outside of the demo's own would stay behind when somebody removes that. What it holds (sockets, and
# records of jobs that have ended) serves no next start.
remove_short_run_dir() {
    [[ $run != "$demo"/* && -d $run && -O $run && ! -L $run ]] || return 0
    rm -rf -- "$run"
}

stop_cluster() {
    local jobs=0
    if [[ -x $software/bin/jqueue && -n $(daemon_pids jctld) ]]; then
        jobs=$(JARVIS_CONF=$config running_jobs)
    fi
    stop_daemon jnoded
    stop_daemon jctld
    if [[ $jobs == 0 ]]; then
        stop_daemon jshepherd
        remove_short_run_dir
    else
        say "$jobs running job(s) go on; the next start finds them again. To end them: start, jcancel, stop."
    fi
}

choose_run_dir
exec 9>"$demo/.lock"
flock -w 600 9 || die "another quickstart.sh is at work in $demo"
if $stop; then
    stop_cluster
    exit 0
fi

# --- build --------------------------------------------------------------------------------------------------------

build_programs() {
    local prefix
    if [[ ! -r /etc/os-release ]] || ! grep -Eq '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release; then
        die "this script knows Debian and Ubuntu. Elsewhere, install what 'contrib/packages.sh list build' prints under" \
            "your distribution's names, build with 'cmake --preset release && cmake --build --preset release', and come" \
            "back with --build-dir build/release"
    fi
    step "build packages"
    if [[ -z $("$source_dir/contrib/packages.sh" missing build) ]]; then
        say "all there"
    else
        "$source_dir/contrib/packages.sh" install build
    fi
    build=$source_dir/build/release
    step "building in $build (some minutes the first time)"
    mkdir -p "$build" 2>/dev/null || true
    [[ -d $build && -w $build ]] || die "cannot write into $build; use a clone of your own"
    prefix=$("$source_dir/contrib/packages.sh" prefix)
    (
        cd "$source_dir"
        cmake --preset release ${prefix:+"-DCMAKE_PREFIX_PATH=$prefix"} >"$build/configure.log" 2>&1 ||
            { cat "$build/configure.log" >&2; die "configuring failed"; }
        cmake --build --preset release --target daemons/all commands/all plugins/all
    ) 9>&-
}

# The programs are copied, so that a build in a home folder serves other users, and a later build disturbs nothing that
# runs. (cmake --install would write its manifest into the build folder, which may be another user's.) The new tree takes
# the place of the old one whole: what runs keeps its open files.
install_programs() {
    local new=$demo/software.new page section
    rm -rf "$new" "$demo/software.old"
    mkdir -p "$new/bin" "$new/lib/jarvis/plugins"
    cp -P "$build"/bin/* "$new/bin/"
    cp "$build"/lib/jarvis/plugins/*.so "$new/lib/jarvis/plugins/"
    [[ -e $new/bin/jq ]] || ln -s jqueue "$new/bin/jq"      # as JARVIS_INSTALL_JQ does: the folder is the demo's alone
    for page in "$source_dir"/man/*.[158]; do
        section=${page##*.}
        mkdir -p "$new/share/man/man$section"
        cp "$page" "$new/share/man/man$section/"
    done
    if [[ -d $software ]] && diff -r --no-dereference "$software" "$new" >/dev/null 2>&1; then
        rm -rf "$new"
        return
    fi
    if [[ -d $software ]]; then
        say "the programs are new: restarting the daemons"
        stop_daemon jnoded
        stop_daemon jctld
        mv "$software" "$demo/software.old"
    fi
    mv "$new" "$software"
    rm -rf "$demo/software.old"
}

if [[ -z $build ]]; then
    build_programs
else
    build=$(cd "$build" 2>/dev/null && pwd) || die "there is no such build folder"
fi
for file in bin/jctld bin/jnoded bin/jagent bin/jshepherd bin/jsub bin/jqueue lib/jarvis/plugins/storage_sqlite.so; do
    [[ -e $build/$file ]] || die "$build has no $file: is that build complete?"
done

# --- configuration ------------------------------------------------------------------------------------------------

toml() { printf '"%s"' "$(printf '%s' "$1" | sed 's/\\/\\\\/g; s/"/\\"/g')"; }
shell() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# The parts that all files have. An array of TOML is written for the addresses.
common_sections() {
    cat <<END
[cluster]
name = "demo-$hash"

[controller]
state_dir = $(toml "$demo/state")
socket = $(toml "$run/jctld.sock")
END
    if [[ $nodes -gt 0 ]]; then
        cat <<END
listen = ["127.0.0.1:$port"]
addresses = ["127.0.0.1:$port"]

[tls]
ca = $(toml "$pki/ca.crt")
END
    fi
    cat <<END

[security]
$(if $personal; then
    echo "personal = true                # jobs run as $(id -un), who may do everything"
else
    echo "allow_root_jobs = true         # this cluster was started by root, whose first job is root's"
fi)

[plugins]
directory = $(toml "$software/lib/jarvis/plugins")

END
}

# [jnoded] of one node: its name, and the name of its folders.
jnoded_section() {
    local name=$1 folder=$2
    cat <<END
[jnoded]
name = $(toml "$name")
run_dir = $(toml "$run/$folder")
state_dir = $(toml "$demo/$folder")
socket = $(toml "$run/$folder.sock")
shepherd = $(toml "$software/bin/jshepherd")
listen = []                            # the nodes reach each other by their sockets
END
    if $virtual; then
        echo "virtual_cores = true           # $nodes nodes on ${#cores[@]} cores"
    fi
    echo
}

node_section() {
    cat <<END
[[node]]
names = $(toml "$1")
vouch = true                           # its users are this machine's
END
    if $virtual; then
        echo "cores = 1"
    fi
    if [[ $nodes -gt 0 ]]; then
        echo "address = $(toml "$run/%n/steps.sock")  # for each other's steps"
    fi
    if [[ $nodes -gt 1 ]]; then
        echo "memory = \"${node_memory}M\"           # an equal share"
    fi
    echo
}

# replace FILE: puts what comes in into the file; true if that changed it.
replace() {
    local file=$1
    cat >"$file.new"
    chmod 0644 "$file.new"
    if cmp -s "$file.new" "$file"; then
        rm "$file.new"
        return 1
    fi
    mv "$file.new" "$file"
}

write_config() {
    local confinement=$1 changed=false name
    {
        echo "# A cluster on this machine. Written by contrib/quickstart.sh, which writes it anew at each start. See jarvis.toml(5)."
        echo
        common_sections
        if [[ $nodes == 0 ]]; then
            jnoded_section "$node_names" node
        else
            echo "[jnoded]"
            echo "run_dir = $(toml "$run/${names[0]}")  # the daemon that a jrun outside a job asks"
            echo
        fi
        node_section "$node_names"
        cat <<END
[[partition]]
name = "batch"
nodes = "ALL"
default = true
default_time = "1h"
confinement = "$confinement"           # as found on this machine
END
    } | replace "$config" && changed=true
    for name in "${names[@]}"; do
        mkdir -p "$demo/nodes/$name"
        {
            echo "# Node $name of the cluster of ../../jarvis.toml. Written by contrib/quickstart.sh."
            echo
            common_sections
            jnoded_section "$name" "$name"
            node_section "$node_names"
        } | replace "$demo/nodes/$name/jarvis.toml" && changed=true
    done
    if $changed && [[ -n $(daemon_pids jctld; daemon_pids jnoded) ]]; then
        say "the configuration is new: restarting the daemons"
        stop_daemon jnoded >/dev/null
        stop_daemon jctld >/dev/null
    fi
}

# --- several nodes on one machine ---------------------------------------------------------------------------------

# The CPUs of each core that we may use, as taskset takes them: one line for each core.
find_cores() {
    local allowed
    allowed=,$(taskset -cp $$ | sed 's/.*: //' | tr , '\n' | while IFS=- read -r first last; do seq -s , "$first" "${last:-$first}"; done | tr '\n' ','),
    lscpu -p=CPU,CORE,SOCKET | awk -F, -v allowed="$allowed" '
        /^#/ || index(allowed, "," $1 ",") == 0 { next }
        { core = $3 "," $2; if (!(core in cpus)) order[++count] = core; else cpus[core] = cpus[core] ","; cpus[core] = cpus[core] $1 }
        END { for (i = 1; i <= count; i++) print cpus[order[i]] }'
}

# The CPUs of node number $1, counted from 0: an equal part of the cores, in their order.
cpus_of_node() {
    local first=$(( $1 * ${#cores[@]} / nodes )) end=$(( ($1 + 1) * ${#cores[@]} / nodes ))
    local IFS=,
    echo "${cores[*]:first:end - first}"
}

# The port that the configuration has, or the first free one from a number that the folder's name gives.
choose_port() {
    port=$(sed -n 's/^listen = \["127.0.0.1:\([0-9]*\)"\]$/\1/p' "$config" 2>/dev/null | head -n 1 || true)
    [[ -z $port ]] || return 0
    port=$(( 20000 + 0x${hash:0:6} % 20000 ))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
}

# Certificates of the controller and of each node. A cluster that has run without them keeps its UUID.
make_certificates() {
    local uuid='' missing=() name
    if [[ ! -e $pki/ca.crt ]]; then
        if [[ -s $config && -n $(ls -A "$demo/state") ]]; then
            start_daemon jctld "$config" jctld
            wait_until "$ready_seconds" "waiting for the controller" controller_answers || { show_log jctld; die "jctld does not answer"; }
            uuid=$("$software/bin/jadmin" ping --json | grep -Eo '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' | head -n 1 || true)
        fi
        "$software/bin/jadmin" pki init --dir "$pki" --name "demo-$hash" ${uuid:+--uuid "$uuid"} >/dev/null || die "no certificates"
    fi
    for name in "${names[@]}"; do
        [[ -e $pki/nodes/$name.crt ]] || missing+=("$name")
    done
    if [[ ${#missing[@]} -gt 0 ]]; then
        "$software/bin/jadmin" pki node --dir "$pki" "${missing[@]}" >/dev/null || die "no certificates for ${missing[*]}"
    fi
}

# Sets names (empty: the one node of the controller's own configuration), node_names, cores, virtual, node_memory.
names=() cores=() virtual=false node_memory=0 port=
if [[ $nodes == 0 ]]; then
    # A node is called like the machine where that is a name that a node can have.
    node_names=$(uname -n)
    node_names=${node_names%%.*}
    [[ $node_names =~ ^[A-Za-z][A-Za-z0-9_-]*$ ]] || node_names=node1
else
    mapfile -t names < <(seq -f 'n%g' "$nodes")
    node_names="n[1-$nodes]"
    [[ $nodes -gt 1 ]] || node_names=n1
    mapfile -t cores < <(find_cores)
    [[ ${#cores[@]} -ge $nodes ]] || virtual=true
    node_memory=$(awk -v nodes="$nodes" '/^MemTotal:/ { print int($2 / 1024 / nodes) }' /proc/meminfo)
fi

write_env() {
    local bin=$software/bin new=$demo/env.sh.new
    cat >"$new" <<END
# Sourced by a shell that wants to use this cluster:  . env.sh
JARVIS_CONF=$(shell "$config")
export JARVIS_CONF
case ":\$PATH:" in
    *:$(shell "$bin"):*) ;;
    *)
        PATH=$(shell "$bin"):\$PATH
        MANPATH=$(shell "$software/share/man"):\${MANPATH-}     # an empty part: and where man would look anyway
        export PATH MANPATH
        ;;
esac
END
    chmod 0644 "$new"
    mv "$new" "$demo/env.sh"
}

# --- start --------------------------------------------------------------------------------------------------------

# start_daemon NAME CONFIG LOG [COMMAND...]: with a command in front of it.
start_daemon() {
    local name=$1 file=$2 log=$demo/log/$3.log program
    shift 3
    if [[ -n $(daemon_pids "$name" "$file") ]]; then
        say "$name runs already"
        return
    fi
    program=$software/bin/$name
    "$program" --config "$file" --check-config >"$demo/log/check.log" 2>&1 || { cat "$demo/log/check.log" >&2; die "$name refuses $file"; }
    # setsid: Ctrl-C in this terminal, or closing it, is not meant for the cluster. A service manager's words to this
    # terminal are not meant for it either.
    env -u INVOCATION_ID -u NOTIFY_SOCKET JARVIS_CONF="$file" setsid "$@" "$program" --config "$file" </dev/null >>"$log" 2>&1 9>&- &
    say "started $name (log: $log)"
}

# wait_until SECONDS TEXT COMMAND...: calls COMMAND until it succeeds, and shows that time passes.
wait_until() {
    local seconds=$1 text=$2 start=$SECONDS shown=false
    shift 2
    until "$@"; do
        if (( SECONDS - start >= seconds )); then
            if $shown && [[ -t 1 ]]; then echo; fi
            return 1
        fi
        if [[ -t 1 ]]; then
            printf '\r%s ... %d s ' "$text" $((SECONDS - start))
        elif ! $shown; then
            printf '%s ...\n' "$text"
        fi
        shown=true
        sleep 0.2
    done
    if $shown && [[ -t 1 ]]; then echo; fi
}

controller_answers() { "$software/bin/jadmin" ping >/dev/null 2>&1; }
# How many nodes have this in what jnodes says of them.
count_nodes() { "$software/bin/jnodes" --json 2>/dev/null | grep -Eo "$1" | wc -l; }
wanted_nodes() { if [[ $nodes == 0 ]]; then echo 1; else echo "$nodes"; fi; }
nodes_ready() { [[ $(count_nodes '"state": ?"(idle|mixed|allocated)"') -ge $(wanted_nodes) ]]; }
nodes_known() { [[ $(count_nodes '"confinement": ?"(none|track|full)"') -ge $(wanted_nodes) ]]; }
# What the node says of itself, which is what its partition may ask of it.
found_confinement() { "$software/bin/jnodes" --json | grep -Eo '"confinement": ?"[a-z]+"' | head -n 1 | sed 's/.*"\([a-z]*\)"$/\1/'; }
show_log() { warn "the last lines of $demo/log/$1.log:"; tail -n 15 "$demo/log/$1.log" >&2; }

start_daemons() {
    local number
    start_daemon jctld "$config" jctld
    wait_until "$ready_seconds" "waiting for the controller" controller_answers || { show_log jctld; die "jctld does not answer"; }
    if [[ $nodes == 0 ]]; then
        start_daemon jnoded "$config" jnoded
        return
    fi
    for (( number = 0; number < nodes; number++ )); do
        local in_front=(taskset -c "$(cpus_of_node "$number")")
        if $virtual; then in_front=(); fi
        start_daemon jnoded "$demo/nodes/${names[number]}/jarvis.toml" "${names[number]}" "${in_front[@]}"
    done
}

step "a cluster in $demo"
umask 022
mkdir -p "$demo/log" "$demo/state" "$demo/node" "${names[@]/#/$demo/}"
chmod 0700 "$demo/state"            # scripts and environments of all users
$personal || chmod 0755 "$demo"
make_run_dir
install_programs
export JARVIS_CONF=$config
if [[ $nodes -gt 0 ]]; then
    choose_port
    make_certificates
fi
# A guess, put right as soon as the node has said what it found.
confinement=none
if ! $personal && grep -Eq '^[^ ]+ [^ ]+ cgroup2 rw[ ,]' /proc/self/mounts; then
    confinement=track
fi
if [[ -s $config ]]; then
    confinement=$(sed -n 's/^confinement = "\([a-z]*\)".*/\1/p' "$config" | head -n 1)
fi
write_config "${confinement:-none}"
write_env
start_daemons
log_of_node=${names[0]:-jnoded}
wait_until "$ready_seconds" "waiting for $node_names" nodes_known || { show_log "$log_of_node"; die "the nodes do not register"; }
found=$(found_confinement)
if [[ $found != "$confinement" ]]; then
    write_config "$found"
    start_daemons
fi
wait_until "$ready_seconds" "waiting for $node_names" nodes_ready || { show_log "$log_of_node"; die "the nodes are not ready"; }
case $found in
    full) meaning="cores, memory and processes are held to what a job was given, and a job's processes are followed, frozen and killed whole" ;;
    track) meaning="a job's processes are followed, frozen and killed whole; cores are bound, memory is counted and not enforced" ;;
    *) meaning="process groups and core binding only: this machine lets us make no cgroup" ;;
esac
say "confinement of jobs here: $found ($meaning)"
if [[ $nodes -gt 0 ]]; then
    if $virtual; then
        say "$nodes nodes share ${#cores[@]} cores: each has a virtual one, and jobs are not bound"
    fi
    say
    say "\$ jnodes"
    "$software/bin/jnodes"
fi

# --- the first job ------------------------------------------------------------------------------------------------

step "the first job"
cat >"$demo/hello.sh" <<'END'
#!/bin/sh
#JSUB --job-name hello --ntasks 1 --time 5m
echo "Hello from job $JARVIS_JOB_ID ($JARVIS_JOB_NAME)."
echo "I ran on node $JARVIS_NODENAME ($(uname -n)) as $(id -un), in partition $JARVIS_PARTITION,"
echo "with $JARVIS_CPUS_ON_NODE core(s)${JARVIS_CPU_LIST:+ (CPUs $JARVIS_CPU_LIST)} and ${JARVIS_MEM_PER_NODE:-?} MiB of memory."
echo "My temporary folder was $JARVIS_TMPDIR; it is gone now."
END
chmod 0755 "$demo/hello.sh"
say "\$ jsub hello.sh"
job=$(cd "$demo" && "$software/bin/jsub" hello.sh)
say "$job"
output=$demo/jarvis-$job.out

job_state() { "$software/bin/jqueue" -j "$job" --json | grep -Eo '"state": ?"[A-Z_]+"' | head -n 1 | sed 's/.*"\([A-Z_]*\)"$/\1/'; }
job_ended() { case $(job_state) in PENDING | RUNNING | SUSPENDED | COMPLETING | '') return 1 ;; esac; }
wait_until "$job_seconds" "waiting for job $job" job_ended ||
    die "job $job has not ended in $job_seconds s: $(job_state); see 'jq -j $job' and $demo/log"
say
say "\$ jq -j $job"
"$software/bin/jqueue" -j "$job"
say
say "\$ cat jarvis-$job.out"
cat "$output"
state=$(job_state)
[[ $state == COMPLETED ]] || { "$software/bin/jacct" -j "$job" || true; die "the job ended as $state"; }

# --- a job on several nodes -----------------------------------------------------------------------------------------

if [[ $nodes -gt 1 ]]; then
    step "a job on two nodes"
    cat >"$demo/two-nodes.sh" <<'END'
#!/bin/sh
#JSUB --job-name two-nodes --nodes 2 --ntasks 2 --ntasks-per-node 1 --time 5m --output two-nodes.out
echo "Job $JARVIS_JOB_ID has the nodes $JARVIS_NODELIST; its script runs on $JARVIS_NODENAME."
jrun --label sh -c 'echo "task $JARVIS_PROCID of $JARVIS_STEP_NUM_TASKS runs on $JARVIS_NODENAME"'
END
    chmod 0755 "$demo/two-nodes.sh"
    say "\$ jsub two-nodes.sh"
    job=$(cd "$demo" && PATH=$software/bin:$PATH "$software/bin/jsub" two-nodes.sh)
    wait_until "$job_seconds" "waiting for job $job" job_ended ||
        die "job $job has not ended in $job_seconds s: $(job_state); see 'jq -j $job' and $demo/log"
    say "\$ cat two-nodes.out"
    cat "$demo/two-nodes.out"
    state=$(job_state)
    [[ $state == COMPLETED ]] || { "$software/bin/jacct" -j "$job" || true; die "the job ended as $state"; }
fi

# --- where to go from here ----------------------------------------------------------------------------------------

# The first folder on the way that others may not pass, if there is one.
closed_folder() {
    local folder=$demo
    while [[ $folder != / ]]; do
        if [[ -z $(find "$folder" -maxdepth 0 -perm -o+x) ]]; then
            printf '%s\n' "$folder"
        fi
        folder=$(dirname "$folder")
    done | tail -n 1
}

relative=$demo
[[ $demo == "$PWD"/* ]] && relative=${demo#"$PWD"/}
step "the cluster is up"
if ! $personal; then
    closed=$(closed_folder)
    if [[ -n $closed ]]; then
        say "Other users cannot reach $demo, since $closed is closed to them."
        say "For a cluster that all can use: $0 --dir /srv/jarvis-demo"
    else
        say "Every user of this machine can use it."
    fi
fi
say "use it:   . $(printf '%q' "$relative")/env.sh"
say "stop it:  $(printf '%q' "$0") --stop --dir $(printf '%q' "$relative")"

"""h: what placement inside a node costs, by the size of the node and how full it is, and what it is good for: how much memory is next to
its cores, and how whole the holes stay, against one that gives the lowest free cores."""
from measure import bench_json

# Microseconds that half of the placements may take, by hardware threads of a node. (Of 99 in 100: ten times that.)
GOALS = {256: 5, 1024: 50}


def run(b):
    seen = bench_json("placement", f"placements={b.count(20000, 100)}", f"steps={b.count(20000, 100)}")
    medians = {}
    for times in seen["times"]:
        pus, load = times["pus"], times["load"]
        goal = GOALS.get(pus)
        smaller = medians.get((pus // 2, load)) or medians.get((pus // 4, load))
        growth = f"{times['p50_us'] / smaller:.1f} times that of the next smaller" if smaller else "the smallest"
        medians[pus, load] = max(times["p50_us"], 0.001)
        b.row(f"a placement on {pus} PUs, {times['numa_nodes']} NUMA nodes, load {load} %", medians[pus, load], "us", f"goal: {goal} us" if goal else "",
              growth, f"p99 {times['p99_us']:.2f} us, worst {times['worst_us']:.2f} us, {times['placed']} placed", limit=goal)
    topology, lowest = seen["topology"], seen["lowest"]
    for name, what in (("local", "memory next to its cores"), ("hole", "largest hole in one NUMA node, of free cores")):
        b.row(f"{what}", topology[name] * 100, "%", f"lowest cores first: {lowest[name] * 100:.1f} %",
              "", f"{topology['started']} jobs started, {lowest['started']} with the lowest cores first", limit=lowest[name] * 100)

// Nodes of several kinds with jobs on them, as a controller would show them.
#pragma once

#include "client.pb.h"

namespace jarvis::client {

wire::NodeView laptop();        // one NUMA node, two kinds of cores; a job whose owner's name would upset a terminal
wire::NodeView two_packages();  // 2 packages of 4 NUMA nodes of 32 cores with 2 threads, GPUs: 256 cores
wire::NodeView with_hbm();      // one package, DRAM, and HBM that is a NUMA node without cores
wire::NodeView without_numa();  // 2 packages and no word of NUMA nodes
wire::NodeView shared_memory(); // NUMA nodes that span caches, one of two packages, and caches that cross NUMA nodes

} // namespace jarvis::client

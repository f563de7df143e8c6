// hwloc's topology as an owned value, loaded from this machine or from where the configuration says.
#pragma once

#include "base/result.hpp"
#include "model/core_set.hpp"

#include <hwloc.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace jarvis::noded {

struct DestroyTopology {
    void operator()(hwloc_topology_t topology) const noexcept { ::hwloc_topology_destroy(topology); }
};
using HwlocTopology = std::unique_ptr<hwloc_topology, DestroyTopology>;

struct FreeBitmap {
    void operator()(hwloc_bitmap_t bitmap) const noexcept { ::hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

// From this machine (an empty source; what our cpuset cgroup and our affinity keep from us is left out), from the XML file that
// ends in ".xml", or as the synthetic description says. `cpus`: of this machine exactly these, as the kernel writes a list, whatever
// is kept from us. No vendor's library is loaded.
Result<HwlocTopology> load_topology(const std::string& source, const std::string& cpus);
bool is_topology_file(std::string_view source);

// A machine that tells hwloc of no cores (some virtual ones) has one for each PU.
hwloc_obj_type_t core_type(hwloc_topology_t topology);
// Calls f(object) for each of this type in logical order.
template <class F>
void for_each_object(hwloc_topology_t topology, hwloc_obj_type_t type, F f)
{
    for (hwloc_obj_t object = nullptr; (object = ::hwloc_get_next_obj_by_type(topology, type, object)) != nullptr;)
        f(object);
}
std::vector<hwloc_obj_t> objects_of(hwloc_topology_t topology, hwloc_obj_type_t type);
// The cores with a PU of this set.
CoreSet cores_within(hwloc_topology_t topology, hwloc_const_bitmap_t cpuset);

} // namespace jarvis::noded

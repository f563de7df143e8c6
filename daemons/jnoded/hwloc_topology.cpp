#include "hwloc_topology.hpp"

#include "base/escape.hpp"
#include "base/fd.hpp"

#include <array>
#include <cctype>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jarvis::noded {
namespace {

// hwloc's plugins that ask a vendor's library: what they would add is read from sysfs, and a broken driver must not take the
// daemon with it.
constexpr std::array vendor_components{"cuda", "nvml", "opencl", "rsmi", "levelzero", "gl"};

// CPUs as the kernel writes a list of them.
void restrict_to_list(hwloc_topology_t topology, const std::string& cpus)
{
    const Bitmap bound(::hwloc_bitmap_alloc());
    if (::hwloc_bitmap_list_sscanf(bound.get(), cpus.c_str()) == 0)
        ::hwloc_topology_restrict(topology, bound.get(), HWLOC_RESTRICT_FLAG_ADAPT_IO);
}

// An affinity that we inherited (taskset) counts like the cpuset cgroup. Devices of what goes stay.
void restrict_to_affinity(hwloc_topology_t topology)
{
    if (!::hwloc_topology_is_thissystem(topology))
        return;
    const Bitmap bound(::hwloc_bitmap_alloc());
    if (::hwloc_get_cpubind(topology, bound.get(), HWLOC_CPUBIND_PROCESS) == 0 && !::hwloc_bitmap_iszero(bound.get()))
        ::hwloc_topology_restrict(topology, bound.get(), HWLOC_RESTRICT_FLAG_ADAPT_IO);
}

bool is_object_type(const std::string& name)
{
    hwloc_obj_type_t type{};
    return ::hwloc_type_sscanf(name.c_str(), &type, nullptr, 0) == 0;
}

bool is_pu(const std::string& name)
{
    hwloc_obj_type_t type{};
    return ::hwloc_type_sscanf(name.c_str(), &type, nullptr, 0) == 0 && type == HWLOC_OBJ_PU;
}

// More than any machine has; hwloc takes minutes for some times as many.
constexpr std::uint64_t most_described_pus = 1 << 15;

// hwloc says no more than that it does not understand a description, so we look for the first word that makes no sense.
class SyntheticReader {
    const std::string& text_;
    std::size_t at_ = 0;
    std::string last_type_;
    std::uint64_t pus_ = 1;

    std::string where(std::size_t position) const { return fmt::format("at character {}", position + 1); }

    // What stands in parentheses belongs to the word before it.
    std::string skip_attributes()
    {
        if (at_ >= text_.size() || text_[at_] != '(')
            return {};
        const auto end = text_.find(')', at_);
        if (end == std::string::npos)
            return fmt::format("the parenthesis {} is not closed", where(at_));
        at_ = end + 1;
        return {};
    }

    std::string read_type()
    {
        const auto from = at_;
        while (at_ < text_.size() && std::isalnum(static_cast<unsigned char>(text_[at_])))
            ++at_;
        last_type_ = text_.substr(from, at_ - from);
        return is_object_type(last_type_) ? "" : fmt::format("{} \"{}\" is no type of object", where(from), last_type_);
    }

    std::string read_number()
    {
        const auto from = at_;
        while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])))
            ++at_;
        const auto number = text_.substr(from, at_ - from);
        if (number.find_first_not_of('0') == std::string::npos || number.size() > 7)
            return fmt::format("{} a number of objects is expected, as in \"pack:2\"", where(from));
        pus_ *= std::stoul(number);
        if (pus_ > most_described_pus)
            return fmt::format("{} it comes to {} objects; at most {} are possible", where(from), pus_, most_described_pus);
        return {};
    }

    // [numa(memory=16GB)]: memory that is attached to what stands before it.
    std::string read_attached()
    {
        const auto from = at_++;
        if (auto wrong = read_type(); !wrong.empty())
            return wrong;
        if (auto wrong = skip_attributes(); !wrong.empty())
            return wrong;
        if (at_ >= text_.size() || text_[at_] != ']')
            return fmt::format("the bracket {} is not closed", where(from));
        ++at_;
        return {};
    }

    std::string read_level()
    {
        if (std::isdigit(static_cast<unsigned char>(text_[at_]))) { // a level of no type: hwloc chooses one
            last_type_ = "pu";
            return read_number();
        }
        if (auto wrong = read_type(); !wrong.empty())
            return wrong;
        if (at_ >= text_.size() || text_[at_] != ':')
            return fmt::format("{} a number of objects is expected, as in \"{}:2\"", where(at_), last_type_);
        ++at_;
        if (auto wrong = read_number(); !wrong.empty())
            return wrong;
        return skip_attributes();
    }

public:
    explicit SyntheticReader(const std::string& text) : text_(text) {}

    // The first word that makes no sense; empty: none.
    std::string problem()
    {
        while (true) {
            while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])))
                ++at_;
            if (at_ == text_.size())
                break;
            auto wrong = text_[at_] == '[' ? read_attached() : text_[at_] == '(' ? skip_attributes() : read_level();
            if (!wrong.empty())
                return wrong;
        }
        if (last_type_.empty())
            return "it describes nothing";
        if (!is_pu(last_type_))
            return fmt::format("its last level is \"{}\" and must be \"pu\", such as \"pu:1\"", last_type_);
        return {};
    }
};

// hwloc says no more of a file either.
std::string explain_file(const std::string& path)
{
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        return system_error(errno, "cannot open it").message;
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0)
        return system_error(errno, "cannot look at it").message;
    if (!S_ISREG(status.st_mode))
        return "it is no regular file";
    std::string text(static_cast<std::size_t>(std::min<off_t>(status.st_size, 64 << 20)), '\0');
    std::size_t have = 0;
    for (ssize_t got = 1; have < text.size() && got > 0; have += static_cast<std::size_t>(std::max<ssize_t>(got, 0)))
        if ((got = ::read(fd.get(), text.data() + have, text.size() - have)) < 0)
            return system_error(errno, "cannot read it").message;
    text.resize(have);
    if (text.empty())
        return "it is empty";
    const auto begin = text.find("<topology");
    if (begin == std::string::npos)
        return "it holds no <topology>: a file as \"lstopo FILE.xml\" writes it is expected";
    if (text.find("</topology>", begin) == std::string::npos)
        return "it ends before </topology>: it is not whole";
    return "hwloc finds no topology in it that makes sense: a file as \"lstopo FILE.xml\" of hwloc 2 writes it is expected";
}

Result<void> set_synthetic(hwloc_topology_t topology, const std::string& source)
{
    auto problem = SyntheticReader(source).problem();
    if (problem.empty() && ::hwloc_topology_set_synthetic(topology, source.c_str()) == 0)
        return {};
    if (problem.empty())
        problem = "hwloc does not take this order of levels or one of the attributes";
    return fail(Errc::invalid, "synthetic topology \"{}\": {}", escape_for_terminal(source), escape_for_terminal(problem));
}

Result<void> set_source(hwloc_topology_t topology, const std::string& source)
{
    if (source.empty())
        return {};
    if (!is_topology_file(source))
        return set_synthetic(topology, source);
    if (::hwloc_topology_set_xml(topology, source.c_str()) != 0)
        return fail(Errc::invalid, "{}: {}", escape_for_terminal(source), explain_file(source));
    return {};
}

} // namespace

bool is_topology_file(std::string_view source) { return source.ends_with(".xml"); }

Result<HwlocTopology> load_topology(const std::string& source, const std::string& cpus)
{
    hwloc_topology_t made = nullptr;
    if (::hwloc_topology_init(&made) != 0)
        return std::unexpected(system_error(errno, "hwloc cannot begin"));
    HwlocTopology topology(made);
    for (const auto* component : vendor_components)
        (void)::hwloc_topology_set_components(made, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, component); // fails where it is not there
    ::hwloc_topology_set_io_types_filter(made, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (auto set = set_source(made, source); !set)
        return std::unexpected(set.error());
    const bool named = source.empty() && !cpus.empty();
    if (named)
        ::hwloc_topology_set_flags(made, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (::hwloc_topology_load(made) != 0) {
        if (source.empty())
            return std::unexpected(system_error(errno, "hwloc cannot read this machine's topology"));
        if (is_topology_file(source))
            return fail(Errc::invalid, "{}: {}", escape_for_terminal(source), explain_file(source));
        return std::unexpected(system_error(errno, fmt::format("synthetic topology \"{}\"", escape_for_terminal(source))));
    }
    if (named)
        restrict_to_list(made, cpus);
    else
        restrict_to_affinity(made);
    return topology;
}

hwloc_obj_type_t core_type(hwloc_topology_t topology)
{
    return ::hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

std::vector<hwloc_obj_t> objects_of(hwloc_topology_t topology, hwloc_obj_type_t type)
{
    std::vector<hwloc_obj_t> objects;
    for_each_object(topology, type, [&](hwloc_obj_t object) { objects.push_back(object); });
    return objects;
}

CoreSet cores_within(hwloc_topology_t topology, hwloc_const_bitmap_t cpuset)
{
    CoreSet cores;
    for_each_object(topology, core_type(topology), [&](hwloc_obj_t core) {
        if (::hwloc_bitmap_intersects(core->cpuset, cpuset))
            cores.insert(core->logical_index);
    });
    return cores;
}

} // namespace jarvis::noded

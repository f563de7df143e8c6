#include "discovered_devices.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>

namespace jarvis::noded {
namespace {

namespace fs = std::filesystem;
using PciDevice = hwloc_obj_attr_u::hwloc_pcidev_attr_s;

// What a registration may say of a device (wire/limits.hpp).
constexpr std::size_t most_files = 16;
constexpr std::size_t most_devices = 1 << 12;
constexpr std::size_t longest_type = 64;

constexpr std::uint16_t nvidia = 0x10de;
// Graphics of server management and of virtual machines, which compute nothing: ASPEED, Matrox, Cirrus, Bochs, VMware, virtio,
// Hyper-V, VirtualBox, QXL, HiSilicon.
constexpr std::array<std::uint16_t, 10> display_only{0x1a03, 0x102b, 0x1013, 0x1234, 0x15ad, 0x1af4, 0x1414, 0x80ee, 0x1b36, 0x19e5};

// PCI's class codes, base and sub class (PCI Code and ID Assignment Specification).
constexpr std::uint16_t class_3d_controller = 0x0302;
constexpr std::uint16_t class_coprocessor = 0x0b40;
constexpr std::uint8_t base_display = 0x03;
constexpr std::uint8_t base_accelerator = 0x12;

// What the kernel made of one device: each OS device below one PCI function.
struct Functions {
    bool compute = false; // GPU or co-processor
    bool rdma = false;
    bool network = false;
    std::string model;    // as a driver told hwloc
};

void look_at(hwloc_obj_t os_device, Functions& functions)
{
    switch (os_device->attr->osdev.type) {
    case HWLOC_OBJ_OSDEV_GPU:
    case HWLOC_OBJ_OSDEV_COPROC: functions.compute = true; break;
    case HWLOC_OBJ_OSDEV_OPENFABRICS: functions.rdma = true; break;
    case HWLOC_OBJ_OSDEV_NETWORK: functions.network = true; break;
    default: break;
    }
    for (const char* info : {"GPUModel", "OpenCLDeviceModel"})
        if (const char* model = ::hwloc_obj_get_info_by_name(os_device, info); model && functions.model.empty())
            functions.model = model;
    for (auto child = os_device->io_first_child; child; child = child->next_sibling)
        if (child->type == HWLOC_OBJ_OS_DEVICE)
            look_at(child, functions);
}

Functions functions_of(hwloc_obj_t device)
{
    Functions functions;
    if (device->type == HWLOC_OBJ_OS_DEVICE)
        look_at(device, functions);
    else
        for (auto child = device->io_first_child; child; child = child->next_sibling)
            if (child->type == HWLOC_OBJ_OS_DEVICE)
                look_at(child, functions);
    return functions;
}

// A GPU's driver may show the kernel nothing that hwloc knows, as NVIDIA's does; then its class says what it is.
bool computes(const PciDevice& pci, const Functions& functions)
{
    if (std::ranges::find(display_only, pci.vendor_id) != display_only.end())
        return false;
    const auto base = static_cast<std::uint8_t>(pci.class_id >> 8);
    return functions.compute || pci.class_id == class_3d_controller || pci.class_id == class_coprocessor || base == base_accelerator ||
           (base == base_display && pci.vendor_id == nvidia);
}

std::string pci_address(const PciDevice& pci)
{
    return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", pci.domain, pci.bus, pci.dev, pci.func);
}

// Nothing where every core is as near.
CoreSet cores_near(hwloc_topology_t topology, hwloc_obj_t device)
{
    const auto* around = ::hwloc_get_non_io_ancestor_obj(topology, device);
    if (!around || !around->cpuset)
        return {};
    auto cores = cores_within(topology, around->cpuset);
    const auto all = ::hwloc_get_nbobjs_by_type(topology, core_type(topology));
    return static_cast<int>(cores.count()) == all ? CoreSet{} : cores;
}

std::string gpu_type(hwloc_obj_t device, const Functions& functions)
{
    if (!functions.model.empty())
        return model_word(functions.model);
    const char* model = ::hwloc_obj_get_info_by_name(device, "PCIDevice");
    return model ? model_word(model) : "";
}

std::string first_line_value(const fs::path& file, std::string_view key)
{
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with(key)) {
            const auto at = line.find_first_not_of(" \t", key.size());
            return at == std::string::npos ? "" : line.substr(at);
        }
    return {};
}

// The names in a folder that begin so, in order; none if it is not there.
std::vector<std::string> entries(const fs::path& folder, std::string_view beginning)
{
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
        if (auto name = entry->path().filename().string(); name.starts_with(beginning))
            names.push_back(std::move(name));
    std::ranges::sort(names);
    return names;
}

void add_devices(hwloc_topology_t topology, hwloc_obj_t object, std::string address, bool compute, const Functions& functions,
                 std::vector<Device>& devices)
{
    const bool pci = object->type == HWLOC_OBJ_PCI_DEVICE;
    Device device{.resource = {}, .type = {}, .address = std::move(address), .paths = {}, .near = cores_near(topology, object)};
    if (pci && ::hwloc_topology_is_thissystem(topology))
        device.paths = device_files("/", device.address);
    if (compute) {
        device.resource = "gpu";
        device.type = gpu_type(object, functions);
    } else if (functions.rdma || functions.network) {
        device.resource = "nic";
        device.type = functions.rdma ? "rdma" : "ethernet";
    }
    if (!device.resource.empty() && devices.size() < most_devices)
        devices.push_back(std::move(device));
}

bool is_on_pci(hwloc_obj_t device)
{
    for (auto parent = device->parent; parent; parent = parent->parent)
        if (parent->type == HWLOC_OBJ_PCI_DEVICE || parent->type == HWLOC_OBJ_OS_DEVICE)
            return true;
    return false;
}

} // namespace

std::string model_word(std::string_view model)
{
    if (const auto open = model.find('['); open != std::string_view::npos)
        if (const auto close = model.find(']', open); close != std::string_view::npos)
            model = model.substr(open + 1, close - open - 1);
    // The first word that has letters and digits names a model alone.
    std::string word, all;
    bool letters = false, digits = false;
    for (std::size_t i = 0; i <= model.size(); ++i) {
        const auto c = static_cast<unsigned char>(i < model.size() ? model[i] : ' ');
        if (std::isalnum(c)) {
            letters = letters || std::isalpha(c);
            digits = digits || std::isdigit(c);
            word += static_cast<char>(std::tolower(c));
            continue;
        }
        if (letters && digits)
            return word.substr(0, longest_type);
        if (!word.empty())
            all += (all.empty() ? "" : "_") + word;
        word.clear();
        letters = digits = false;
    }
    return all.substr(0, longest_type);
}

std::vector<std::string> device_files(const fs::path& root, const std::string& address)
{
    const fs::path device = root / "sys/bus/pci/devices" / address;
    std::vector<std::string> files;
    const auto add = [&](std::string path) {
        std::error_code error;
        if (files.size() < most_files && fs::exists(root / path.substr(1), error))
            files.push_back(std::move(path));
    };
    if (const auto minor = first_line_value(root / "proc/driver/nvidia/gpus" / address / "information", "Device Minor:"); !minor.empty())
        add("/dev/nvidia" + minor);
    for (const auto* kind : {"card", "renderD"})
        for (const auto& name : entries(device / "drm", kind))
            add("/dev/dri/" + name);
    for (const auto& name : entries(device / "accel", "accel"))
        add("/dev/accel/" + name);
    std::error_code error;
    if (fs::read_symlink(device / "driver", error).filename() == "amdgpu")
        add("/dev/kfd"); // one for all of them: none computes without it
    for (const auto* kind : {"infiniband_mad", "infiniband_verbs"})
        for (const auto& name : entries(device / kind, ""))
            add("/dev/infiniband/" + name);
    return files;
}

std::vector<Device> read_devices(hwloc_topology_t topology)
{
    std::vector<Device> devices;
    for_each_object(topology, HWLOC_OBJ_PCI_DEVICE, [&](hwloc_obj_t object) {
        const auto functions = functions_of(object);
        add_devices(topology, object, pci_address(object->attr->pcidev), computes(object->attr->pcidev, functions), functions, devices);
    });
    for_each_object(topology, HWLOC_OBJ_OS_DEVICE, [&](hwloc_obj_t object) {
        if (is_on_pci(object) || !object->name)
            return;
        const auto functions = functions_of(object);
        add_devices(topology, object, object->name, functions.compute, functions, devices);
    });
    return devices;
}

} // namespace jarvis::noded

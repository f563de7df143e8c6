// jnodes topo --svg: a node as a picture of boxes in boxes. Each box is measured from the inside, then drawn where its parent
// puts it; rows break so that the picture never gets wider than a screen.
#include "base/escape.hpp"
#include "base/units.hpp"
#include "client/topology_view.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace jarvis::client {

namespace {

using Kind = TopologyPart::Kind;

// Lengths in pixels.
constexpr int page_width = 1560, margin = 20, gap = 6, pad = 8;
// Four groups of eight cores in a row fill the page.
constexpr int core_width = 38, core_height = 32, header = 18, memory_height = 30, device_width = 240, device_height = 50;
constexpr int memory_width = 200; // at least, so that its text has room
constexpr std::size_t cores_in_row = 8;

struct Box {
    int width = 0;
    int height = 0;
    std::function<void(std::string& svg, int x, int y)> draw;
};

void rectangle(std::string& svg, int x, int y, int width, int height, std::string_view fill, std::string_view stroke = "#98a2ad")
{
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\" fill=\"{}\" stroke=\"{}\"/>\n", x, y, width, height, fill,
                       stroke);
}

int natural_width(std::string_view content, int size)
{
    return static_cast<int>(static_cast<double>(terminal_width(escape_for_terminal(content))) * size * 0.62);
}

// `content` is of users and peers; it is written smaller where it does not fit.
void text(std::string& svg, int x, int y, int size, std::string_view content, int width, std::string_view style = "")
{
    const auto natural = natural_width(content, size);
    const double fitting = natural > width ? std::max(5.0, 1.0 * size * width / natural) : size;
    svg += fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"{:.3g}\"{}>{}</text>\n", x, y, fitting, style, escape_for_xml(content));
}

// Boxes from left to right, in as many rows as it takes.
Box flow(std::vector<Box> boxes, int most)
{
    struct Place {
        int x, y;
    };
    std::vector<Place> places;
    int x = 0, y = 0, row = 0, width = 0;
    for (const auto& box : boxes) {
        if (x > 0 && x + box.width > most) {
            x = 0;
            y += row + gap;
            row = 0;
        }
        places.push_back({x, y});
        width = std::max(width, x + box.width);
        x += box.width + gap;
        row = std::max(row, box.height);
    }
    return {width, y + row, [boxes = std::move(boxes), places](std::string& svg, int left, int top) {
                for (std::size_t i = 0; i < boxes.size(); ++i)
                    boxes[i].draw(svg, left + places[i].x, top + places[i].y);
            }};
}

// One under the other.
Box stack(std::vector<Box> boxes)
{
    std::erase_if(boxes, [](const Box& box) { return box.height == 0; });
    Box all;
    for (const auto& box : boxes) {
        all.width = std::max(all.width, box.width);
        all.height += box.height + (all.height > 0 ? gap : 0);
    }
    all.draw = [boxes = std::move(boxes)](std::string& svg, int x, int y) {
        for (const auto& box : boxes) {
            box.draw(svg, x, y);
            y += box.height + gap;
        }
    };
    return all;
}

Box framed(std::string title, std::string_view fill, Box content)
{
    const int width = std::max(content.width, static_cast<int>(title.size()) * 7) + 2 * pad;
    const int height = content.height + header + 2 * pad;
    return {width, height, [=, title = std::move(title)](std::string& svg, int x, int y) {
                rectangle(svg, x, y, width, height, fill);
                text(svg, x + pad, y + pad + 11, 12, title, width - 2 * pad, " font-weight=\"bold\"");
                content.draw(svg, x + pad, y + pad + header);
            }};
}

// Colours far from each other for neighbours in the list, all light enough for black text: hues by the golden angle, in
// three strengths.
std::string colour_of(std::size_t holder)
{
    const double hue = std::fmod(static_cast<double>(holder) * 137.508 + 205, 360) / 60;
    const double lightness[] = {0.72, 0.82, 0.63};
    const double l = lightness[holder / 7 % 3], chroma = (1 - std::abs(2 * l - 1)) * 0.75;
    const double x = chroma * (1 - std::abs(std::fmod(hue, 2) - 1)), m = l - chroma / 2;
    constexpr std::size_t order[6][3] = {{0, 1, 2}, {1, 0, 2}, {2, 0, 1}, {2, 1, 0}, {1, 2, 0}, {0, 2, 1}};
    const double parts[] = {chroma + m, x + m, m};
    const auto& which = order[static_cast<std::size_t>(hue) % 6];
    const auto byte = [&](std::size_t i) { return static_cast<int>(std::lround(parts[which[i]] * 255)); };
    return fmt::format("#{:02x}{:02x}{:02x}", byte(0), byte(1), byte(2));
}
constexpr std::string_view free_colour = "#ffffff";

class Picture {
    const NodeTopology& node_;

    std::string colour(const std::optional<std::size_t>& holder) const { return holder ? colour_of(*holder) : std::string(free_colour); }
    std::string holder_name(const std::optional<std::size_t>& holder) const { return holder ? node_.holdings[*holder].job : "free"; }

    // The id of a task that is too long for a line stands on two.
    static void job_in_core(std::string& svg, int x, int y, std::string_view job)
    {
        constexpr int width = core_width - 6;
        const auto cut = job.find('_');
        if (natural_width(job, 9) <= width || cut == std::string_view::npos)
            return text(svg, x, y + 26, 11, job, width);
        text(svg, x, y + 20, 9, job.substr(0, cut), width);
        text(svg, x, y + 29, 9, job.substr(cut), width);
    }

    Box core(std::uint32_t index) const
    {
        return {core_width, core_height, [this, index](std::string& svg, int x, int y) {
                    const auto holder = node_.core_holder[index];
                    CoreSet self;
                    self.insert(index);
                    svg += fmt::format("<g><title>core {}, PU {}: {}{}</title>\n", index, node_.pus_of(self), holder ? "job " : "",
                                       escape_for_xml(holder_name(holder)));
                    rectangle(svg, x, y, core_width, core_height, colour(holder));
                    text(svg, x + 3, y + 11, 9, fmt::format("{}", index), core_width - 6, " fill=\"#4a5560\"");
                    if (holder)
                        job_in_core(svg, x + 3, y, holder_name(holder));
                    svg += "</g>\n";
                }};
    }

    Box cores(const CoreSet& set) const
    {
        std::vector<Box> boxes;
        set.for_each([&](std::uint32_t index) { boxes.push_back(core(index)); });
        return flow(std::move(boxes), cores_in_row * (core_width + gap));
    }

    // A bar as long as its box, filled as far as jobs hold it.
    Box memory(std::uint32_t index, int width) const
    {
        return {width, memory_height, [this, index, width](std::string& svg, int x, int y) {
                    const auto& numa = node_.topology.numa_nodes[index];
                    constexpr std::string_view kinds[] = {"DRAM", "HBM", "slow memory"};
                    text(svg, x, y + 10, 11,
                         fmt::format("NUMA node {}: {} {}, {} held{}", index, format_memory_size(numa.memory),
                                     kinds[static_cast<std::size_t>(numa.kind)], format_memory_size(node_.memory_held(index)),
                                     node_.is_memory_only(index) ? ", no cores" : ""),
                         width);
                    const int bar = y + 14, height = memory_height - 15;
                    rectangle(svg, x, bar, width, height, free_colour);
                    const auto size = static_cast<double>(std::max<std::int64_t>(numa.memory.bytes, 1));
                    double sum = 0;
                    for (const auto& [holder, held] : node_.memory_holders(index)) {
                        const int from = static_cast<int>(std::min(1.0, sum / size) * width);
                        sum += static_cast<double>(held.bytes);
                        const int to = std::max(from + 1, static_cast<int>(std::min(1.0, sum / size) * width));
                        svg += fmt::format("<g><title>job {}: {}</title>\n", escape_for_xml(holder_name(holder)), format_memory_size(held));
                        rectangle(svg, x + from, bar, to - from, height, colour(holder));
                        if (to - from > 24)
                            text(svg, x + from + 3, bar + 11, 10, holder_name(holder), to - from - 6);
                        svg += "</g>\n";
                    }
                }};
    }

    Box memories(const std::vector<std::uint32_t>& numa, int width) const
    {
        std::vector<Box> boxes;
        for (auto index : numa)
            boxes.push_back(memory(index, width));
        return stack(std::move(boxes));
    }

    Box content(const TopologyPart& part, int most) const
    {
        CoreSet own = part.cores;
        std::vector<Box> children;
        const auto inner = most - 2 * pad;
        for (const auto& child : part.children) {
            own -= child.cores;
            children.push_back(box(child, child.kind == Kind::package ? most : std::max(inner / 4 - gap, 1)));
        }
        auto inside = stack({cores(own), flow(std::move(children), most)});
        return stack({memories(part.numa, std::max(inside.width, memory_width)), std::move(inside)});
    }

    Box box(const TopologyPart& part, int most) const
    {
        const std::string_view fill = part.kind == Kind::package ? "#f4f6f8" : part.kind == Kind::l3 ? "#eef3ee" : "#e9eef4";
        const auto name = part.kind == Kind::group ? std::string("local to one memory") : part_name(part);
        return framed(name, fill, content(part, std::max(most - 2 * pad, core_width)));
    }

    Box device(std::size_t index) const
    {
        return {device_width, device_height, [this, index](std::string& svg, int x, int y) {
                    const auto& device = node_.topology.devices[index];
                    const auto holder = node_.device_holder[index];
                    rectangle(svg, x, y, device_width, device_height, colour(holder));
                    text(svg, x + 4, y + 13, 11, device.resource + " " + device.type + " " + device.address, device_width - 8);
                    text(svg, x + 4, y + 28, 11, holder ? "job " + holder_name(holder) : "free", device_width - 8);
                    if (!device.near.empty())
                        text(svg, x + 4, y + 43, 10, "near cores " + format_list(device.near), device_width - 8, " fill=\"#4a5560\"");
                }};
    }

    Box devices() const
    {
        std::vector<Box> boxes;
        for (std::size_t i = 0; i < node_.topology.devices.size(); ++i)
            boxes.push_back(device(i));
        return flow(std::move(boxes), page_width);
    }

    std::string legend_text(const NodeHolding& holding) const
    {
        const auto& has = holding.placement;
        auto line = fmt::format("job {} ({}): {} core{}", holding.job, holding.user, has.cores.count(), has.cores.count() == 1 ? "" : "s");
        if (has.total_memory().bytes > 0)
            line += ", " + format_memory_size(has.total_memory());
        if (!has.devices.empty())
            line += fmt::format(", {} device{}", has.devices.size(), has.devices.size() == 1 ? "" : "s");
        return line;
    }

    Box legend() const
    {
        constexpr int width = 300, height = 18;
        std::vector<Box> boxes;
        const auto add = [&](const std::string& fill, const std::string& line) {
            boxes.push_back({width, height, [=](std::string& svg, int x, int y) {
                                 rectangle(svg, x, y + 2, 14, 14, fill);
                                 text(svg, x + 20, y + 14, 12, line, width - 24);
                             }});
        };
        for (std::size_t i = 0; i < node_.holdings.size(); ++i)
            add(colour_of(i), legend_text(node_.holdings[i]));
        add(std::string(free_colour), "free");
        return flow(std::move(boxes), page_width);
    }

    Box title() const
    {
        const auto line = fmt::format("Node {}: {}, {} cores, {}", node_.name, node_.state, node_.topology.cores.size(),
                                      format_memory_size(node_.topology.memory()));
        return {600, 24, [line](std::string& svg, int x, int y) { text(svg, x, y + 18, 18, line, page_width, " font-weight=\"bold\""); }};
    }

public:
    explicit Picture(const NodeTopology& node) : node_(node) {}

    std::string draw() const
    {
        const auto all = stack({title(), legend(), content(node_.machine, page_width), devices()});
        const int width = all.width + 2 * margin, height = all.height + 2 * margin;
        auto svg = fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
                               "font-family=\"DejaVu Sans, Verdana, sans-serif\">\n",
                               width, height);
        svg += fmt::format("<rect width=\"{}\" height=\"{}\" fill=\"#ffffff\"/>\n", width, height);
        all.draw(svg, margin, margin);
        return svg + "</svg>\n";
    }
};

} // namespace

std::string topology_svg(const NodeTopology& node) { return Picture(node).draw(); }

} // namespace jarvis::client

#include "report/picture.h"

#include "core/error.h"
#include "report/script.h"
#include "report/table.h"

#include <filesystem>

namespace steepest::report {

namespace {

const Script kPlot = {"plot_compare.py", "matplotlib", "install Debian's python3-matplotlib"};
const Script kPage = {"html_compare.py", "plotly", "install Debian's python3-plotly"};

}  // namespace

void check_picture_name(const std::string& path) {
    const std::string extension = std::filesystem::path(path).extension().string();
    if (extension != ".png" && extension != ".svg" && extension != ".pdf")
        throw InputError(path + ": a picture's name must end in .png, .svg or .pdf");
}

void draw_picture(const std::string& csv, const std::string& path, const PictureStyle& style) {
    check_picture_name(path);
    std::vector<std::string> options = {"--by", std::string(name_of(style.axis))};
    if (style.train) options.push_back("--train");
    if (style.log_x) options.push_back("--log-x");
    if (style.log_y) options.push_back("--log-y");
    for (const double target : style.targets) options.insert(options.end(), {"--target", shortest(target)});
    run_script(kPlot, csv, path, options);
}

void draw_learning_rates(const std::string& csv, const std::string& path) {
    check_picture_name(path);
    run_script(kPlot, csv, path, {"--rates"});
}

void write_page(const std::string& json, const std::string& path) { run_script(kPage, json, path, {}); }

}  // namespace steepest::report

// swift-tools-version: 6.2
import PackageDescription

/// The Makefile and CI ask for it; off by default, so that a newer compiler's new warnings stop nobody's build.
let warningsAreErrors = Context.environment["DKP_WARNINGS_AS_ERRORS"] == "1"

let swiftSettings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (warningsAreErrors ? [.treatAllWarnings(as: .error)] : [])

/// The C kernels are the hot loops: optimised in debug builds too, so that tests run at a useful speed.
let kernelSettings: [CSetting] =
    [.unsafeFlags(["-O3", "-ffp-contract=fast", "-fno-math-errno", "-Wall", "-Wextra"])]
    + (warningsAreErrors ? [.treatAllWarnings(as: .error)] : [])

/// Installed programs carry the Swift runtime in them (`make install`, `make deb`), so that they run where no Swift is.
let carriesRuntime = Context.environment["DKP_STATIC_RUNTIME"] == "1"

/// What Foundation itself is made of has to be named, as the modules are compiled for the shared runtime, which the
/// tests use. Not linked by gold, the default, which warns of what Foundation calls (mktemp).
let programLinkerSettings: [LinkerSetting] =
    carriesRuntime
    ? [.unsafeFlags(["-static-stdlib", "-use-ld=lld"])]
        + [
            "CoreFoundation", "_FoundationICU", "_FoundationCShims", "_FoundationCollections", "BlocksRuntime",
            "swiftDispatch", "dispatch",
        ].map { .linkedLibrary($0) }
    : []

/// `make fuzz` asks for the program that libFuzzer drives; it is no part of any other build.
let isFuzzing = Context.environment["DKP_FUZZING"] == "1"

/// A module of Swift in one of the groups that the folders of `Sources` are.
func library(_ name: String, in group: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/\(group)/\(name)", swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], resources: resources, swiftSettings: swiftSettings)
}

/// The system calls that `CSystemCalls` tells of.
let observedCalls = [
    "write", "pwrite", "ftruncate", "fsync", "fdatasync", "mkdir", "rmdir", "unlink", "rename", "renameat2",
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "dkpd",
    products: [
        .executable(name: "dkp", targets: ["dkp"]),
        .executable(name: "dkpd", targets: ["dkpd"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        // Without its own readers of files: ours are stricter (an unknown name is an error).
        .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
        // For a test alone: a second opinion on what a text of settings means.
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // System libraries: module map and header only.
        .systemLibrary(
            name: "CLibPNG", path: "Sources/System/CLibPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(
            name: "CLibJPEG", path: "Sources/System/CLibJPEG", pkgConfig: "libjpeg",
            providers: [.apt(["libjpeg62-turbo-dev"])]),
        .systemLibrary(
            name: "CLibTIFF", path: "Sources/System/CLibTIFF", pkgConfig: "libtiff-4",
            providers: [.apt(["libtiff-dev"])]),
        .systemLibrary(
            name: "CFFTW", path: "Sources/System/CFFTW", pkgConfig: "fftw3f", providers: [.apt(["libfftw3-dev"])]),
        .systemLibrary(
            name: "CHDF5", path: "Sources/System/CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
        .systemLibrary(name: "COneDNN", path: "Sources/System/COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(
            name: "CSystemd", path: "Sources/System/CSystemd", pkgConfig: "libsystemd",
            providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(
            name: "CLibCrypto", path: "Sources/System/CLibCrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),

        // C of our own: hot loops with per-function targets, and the setjmp boundaries around the image libraries.
        .target(
            name: "CParallel", path: "Sources/C/CParallel", cSettings: kernelSettings,
            linkerSettings: [.linkedLibrary("gomp")]),
        .target(
            name: "CNeuralKernels", dependencies: ["CParallel"], path: "Sources/C/CNeuralKernels",
            cSettings: kernelSettings),
        .target(
            name: "CImagingKernels", dependencies: ["CParallel"], path: "Sources/C/CImagingKernels",
            cSettings: kernelSettings),
        .target(
            name: "COptimisers", dependencies: ["CParallel"], path: "Sources/C/COptimisers", cSettings: kernelSettings),
        .target(
            name: "CKernelPriorKernels", dependencies: ["CParallel"], path: "Sources/C/CKernelPriorKernels",
            cSettings: kernelSettings),
        .target(
            name: "CPNG", dependencies: ["CLibPNG"], path: "Sources/C/CPNG", cSettings: kernelSettings,
            linkerSettings: [.linkedLibrary("z")]),
        .target(name: "CJPEG", dependencies: ["CLibJPEG"], path: "Sources/C/CJPEG", cSettings: kernelSettings),
        .target(name: "CTIFF", dependencies: ["CLibTIFF"], path: "Sources/C/CTIFF", cSettings: kernelSettings),
        // System calls that Swift cannot import.
        .target(name: "CLinux", path: "Sources/C/CLinux", cSettings: [.unsafeFlags(["-Wall", "-Wextra"])]),

        // Files, and jobs as what is in files: nothing numeric, which is all that the daemon needs.
        library("Failures", in: "Base", []),
        library("Files", in: "Base", ["Failures", "CLibCrypto", "CLinux", system]),
        library("ImageFormats", in: "Images", []),
        library("KernelFamilies", in: "Numerics", []),
        library("YAML", in: "Base", ["Failures"]),
        library("Jobs", in: "Product", ["Failures", "Files", "ImageFormats", "KernelFamilies", "YAML", system]),

        // Arrays, images, checkpoints.
        library("Tensors", in: "Base", []),
        library("HDF5", in: "Storage", ["CHDF5", "Failures"]),
        library("Checkpointing", in: "Storage", ["Failures", "Files", "HDF5", "Tensors", system]),
        library(
            "Imaging", in: "Images", ["Failures", "Files", "ImageFormats", "Tensors", "CPNG", "CJPEG", "CTIFF", system]),

        // Numerics.
        library(
            "NeuralNetwork", in: "Numerics",
            ["Failures", "Tensors", "COneDNN", "CNeuralKernels", "COptimisers", "CParallel"]),
        library("DeepImagePrior", in: "Numerics", ["Tensors", "NeuralNetwork"]),
        library("Diffusion", in: "Numerics", ["Failures", "Tensors", "NeuralNetwork", "HDF5"]),
        library("Degradation", in: "Numerics", ["Failures", "Tensors", "CFFTW", "CImagingKernels"]),
        library(
            "KernelPrior", in: "Numerics",
            [
                "Failures", "KernelFamilies", "Tensors", "Degradation", "Checkpointing", "COptimisers",
                "CKernelPriorKernels",
            ]),

        // The product.
        library(
            "Restoration", in: "Product",
            [
                "Tensors", "HDF5", "Imaging", "DeepImagePrior", "Diffusion", "NeuralNetwork", "Degradation",
                "KernelPrior", "Checkpointing", "CParallel", "Failures", "Files", "Jobs", "KernelFamilies",
                system,
            ]),
        library(
            "Daemon", in: "Product",
            [
                "CLinux", "CSystemd", "Failures", "Files", "ImageFormats", "Jobs", "YAML", logging, system,
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]),
        .executableTarget(
            name: "dkp",
            dependencies: [
                "Daemon", "Restoration", "Imaging", "HDF5", "CParallel", "Failures", "Files", "Jobs", "KernelFamilies",
                argumentParser, system,
            ],
            path: "Sources/Programs/dkp", swiftSettings: swiftSettings, linkerSettings: programLinkerSettings),
        .executableTarget(
            name: "dkpd", dependencies: ["Daemon", "Failures", "Jobs", argumentParser, logging, system],
            path: "Sources/Programs/dkpd", swiftSettings: swiftSettings, linkerSettings: programLinkerSettings),

        // What `make bench` measures the engine with; installed nowhere.
        .executableTarget(
            name: "dkp-benchmark",
            dependencies: [
                "Restoration", "Checkpointing", "DeepImagePrior", "Diffusion", "Imaging", "Jobs", "KernelFamilies",
                "KernelPrior", "NeuralNetwork", "Tensors", "CParallel", argumentParser,
            ],
            path: "Benchmarks/Engine", swiftSettings: swiftSettings),

        .target(
            name: "TestSupport", dependencies: ["CSystemCalls", "Files", "Tensors", "HDF5", system],
            path: "Tests/TestSupport", resources: [.copy("Vectors")], swiftSettings: swiftSettings),
        // Tells tests of the calls of the whole test program that change files.
        .target(
            name: "CSystemCalls", path: "Tests/CSystemCalls", cSettings: [.unsafeFlags(["-Wall", "-Wextra"])],
            linkerSettings: [.unsafeFlags(observedCalls.flatMap { ["-Xlinker", "--wrap=\($0)"] })]),
        .target(
            name: "CTestImages", dependencies: ["CLibJPEG", "CLibTIFF", "CLibPNG"], path: "Tests/CTestImages",
            cSettings: kernelSettings),
        tests("TensorsTests", ["Tensors"]),
        tests("ImagingTests", ["ImageFormats", "Imaging", "HDF5", "Tensors", "CTestImages"]),
        tests("YAMLTests", ["YAML", "Tensors", .product(name: "Yams", package: "Yams")]),
        tests("DegradationTests", ["Degradation", "CImagingKernels", "CParallel", "HDF5", "Tensors"]),
        tests("FilesTests", ["Files", system]),
        tests("HDF5Tests", ["HDF5", "CHDF5", "Tensors"]),
        tests("CheckpointingTests", ["Checkpointing", "HDF5", "Tensors"]),
        tests("NeuralNetworkTests", ["NeuralNetwork", "CNeuralKernels", "Tensors"]),
        tests("DeepImagePriorTests", ["DeepImagePrior", "NeuralNetwork", "Tensors"]),
        tests("DiffusionTests", ["Diffusion", "CHDF5", "HDF5", "NeuralNetwork", "Tensors"]),
        tests("KernelPriorTests", ["Degradation", "KernelFamilies", "KernelPrior", "Tensors", "Checkpointing"]),
        tests(
            "RestorationTests",
            [
                "Restoration", "Checkpointing", "Degradation", "Diffusion", "Failures", "Files", "HDF5", "Imaging",
                "Jobs",
                "KernelFamilies", "KernelPrior", "Tensors", system,
            ]),
        tests(
            "DaemonTests",
            [
                "Daemon", "Restoration", "Checkpointing", "Failures", "Files", "Jobs", "KernelFamilies", "dkp", "dkpd",
                logging, system,
            ]),
        tests(
            "CommandTests",
            [
                "CTestImages", "Restoration", "Checkpointing", "Failures", "Imaging", "Jobs", "Tensors", "dkp", "dkpd",
                "dkp-benchmark",
            ]),
    ]
        + (isFuzzing
            ? [
                .executableTarget(
                    name: "fuzzing", dependencies: ["CTestImages", "Daemon", "Imaging", "Tensors"],
                    path: "Tests/Fuzzing", swiftSettings: swiftSettings)
            ] : [])
)

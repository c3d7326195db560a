import type { Rule } from "./rule.ts";

/**
 * Classes of scikit-learn that are written in Python and make up models: those that version 1.2 defines itself, and those of
 * earlier and later versions. None has its own `__setstate__` or `__setattr__`, so a state is stored and nothing is called.
 * Exceptions have rules of their own before the rule for this list.
 */
const NAMES =
  "ARDRegression AbsoluteError AdaBoostClassifier AdaBoostRegressor AdamOptimizer AdditiveChi2Sampler " +
  "AffinityPropagation AgglomerationTransform AgglomerativeClustering ArgKmin BaggingClassifier " +
  "BaggingRegressor BaseBagging BaseCrossValidator BaseDecisionTree BaseDistancesReductionDispatcher " +
  "BaseEnsemble BaseEstimator BaseForest BaseGradientBoosting BaseGraphicalLasso " +
  "BaseHistGradientBoosting BaseLabelPropagation BaseLibSVM BaseLink BaseLoss BaseMixture " +
  "BaseMultiLayerPerceptron BaseMultilayerPerceptron BaseOptimizer BaseRandomProjection BaseSGD " +
  "BaseSGDClassifier BaseSGDRegressor BaseSVC BaseSearchCV BaseShuffleSplit BaseSpectral " +
  "BaseSuccessiveHalving BaseThresholdClassifier BaseWeightBoosting BayesianGaussianMixture " +
  "BayesianRidge BernoulliNB BernoulliRBM BiclusterMixin Binarizer BinomialDeviance Birch " +
  "BisectingKMeans CCA CalibratedClassifierCV CategoricalEncoder CategoricalNB " +
  "ClassNamePrefixFeaturesOutMixin ClassicalMDS ClassificationLossFunction ClassifierChain " +
  "ClassifierMixin ClusterMixin ColumnTransformer ComplementNB CompoundKernel ConstantKernel " +
  "CountVectorizer DBSCAN DPGMM DecisionTreeClassifier DecisionTreeRegressor DensityMixin " +
  "DictVectorizer DictionaryLearning DotProduct DummyClassifier DummyRegressor ElasticNet ElasticNetCV " +
  "EllipticEnvelope EmpiricalCovariance ExpSineSquared ExponentialDispersionModel ExponentialLoss " +
  "Exponentiation ExtraTreeClassifier ExtraTreeRegressor ExtraTreesClassifier ExtraTreesRegressor " +
  "FactorAnalysis FastICA FeatureAgglomeration FeatureHasher FeatureUnion FixedThresholdClassifier " +
  "ForestClassifier ForestRegressor FrozenEstimator FunctionTransformer GMM GammaDistribution " +
  "GammaRegressor GaussianMixture GaussianNB GaussianProcess GaussianProcessClassifier " +
  "GaussianProcessRegressor GaussianRandomProjection GenericKernelMixin GenericUnivariateSelect " +
  "GradientBoostingClassifier GradientBoostingRegressor GraphicalLasso GraphicalLassoCV GridSearchCV " +
  "GroupKFold GroupShuffleSplit HDBSCAN HalfBinomialLoss HalfBinomialLossArrayAPI HalfGammaLoss " +
  "HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HalfTweedieLoss HalfTweedieLossIdentity " +
  "HalvingGridSearchCV HalvingRandomSearchCV HashingVectorizer HistGradientBoostingClassifier " +
  "HistGradientBoostingRegressor HuberLossFunction HuberRegressor IdentityLink Imputer IncrementalPCA " +
  "Interval InverseGaussianDistribution IsolationForest Isomap IsotonicRegression IterativeImputer " +
  "KBinsDiscretizer KFold KMeans KNNImputer KNeighborsClassifier KNeighborsMixin KNeighborsRegressor " +
  "KNeighborsTransformer Kernel KernelCenterer KernelDensity KernelOperator KernelPCA KernelRidge LDA " +
  "LabelBinarizer LabelEncoder LabelPropagation LabelSpreading Lars LarsCV Lasso LassoCV LassoLars " +
  "LassoLarsCV LassoLarsIC LatentDirichletAllocation LeastAbsoluteError LeastSquaresError " +
  "LeaveOneGroupOut LeaveOneOut LeavePGroupsOut LeavePOut LedoitWolf LinearClassifierMixin " +
  "LinearDiscriminantAnalysis LinearModel LinearModelCV LinearModelLoss LinearRegression LinearSVC " +
  "LinearSVR LocalOutlierFactor LocallyLinearEmbedding LogLink LogOddsEstimator LogisticRegression " +
  "LogisticRegressionCV LogitLink LossFunction MDS MLPClassifier MLPRegressor Matern MaxAbsScaler " +
  "MeanEstimator MeanShift MetaEstimatorMixin MetadataRequest MetadataRouter MethodMapping " +
  "MethodMetadataRequest MinCovDet MinMaxScaler MiniBatchDictionaryLearning MiniBatchKMeans " +
  "MiniBatchNMF MiniBatchSparsePCA MissingIndicator MultiLabelBinarizer MultiOutputClassifier " +
  "MultiOutputMixin MultiOutputRegressor MultiTaskElasticNet MultiTaskElasticNetCV MultiTaskLasso " +
  "MultiTaskLassoCV MultinomialDeviance MultinomialLogit MultinomialNB NMF NearestCentroid " +
  "NearestNeighbors NeighborhoodComponentsAnalysis NeighborsBase NewtonCholeskySolver NewtonSolver " +
  "NormalDistribution NormalizedKernelMixin Normalizer NuSVC NuSVR Nystroem OAS OPTICS OneClassSVM " +
  "OneHotEncoder OneToOneFeatureMixin OneVsOneClassifier OneVsRestClassifier OrdinalEncoder " +
  "OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV OutlierMixin OutputCodeClassifier PCA " +
  "PLSCanonical PLSRegression PLSSVD PairwiseKernel ParameterGrid ParameterSampler " +
  "PassiveAggressiveClassifier PassiveAggressiveRegressor PatchExtractor Perceptron PinballLoss " +
  "Pipeline PoissonDistribution PoissonRegressor PolynomialCountSketch PolynomialFeatures " +
  "PowerTransformer PredefinedSplit PriorProbabilityEstimator Product ProjectedGradientNMF QDA " +
  "QuadraticDiscriminantAnalysis QuantileEstimator QuantileLossFunction QuantileRegressor " +
  "QuantileTransformer RANSACRegressor RBF RBFSampler RFE RFECV RadiusNeighbors " +
  "RadiusNeighborsClassifier RadiusNeighborsMixin RadiusNeighborsRegressor RadiusNeighborsTransformer " +
  "RandomForestClassifier RandomForestRegressor RandomTreesEmbedding RandomizedLasso " +
  "RandomizedLogisticRegression RandomizedPCA RandomizedSearchCV RationalQuadratic " +
  "RegressionLossFunction RegressorChain RegressorMixin RepeatedKFold RepeatedStratifiedKFold Ridge " +
  "RidgeCV RidgeClassifier RidgeClassifierCV RobustScaler SGDClassifier SGDOneClassSVM SGDOptimizer " +
  "SGDRegressor SVC SVR ScaledLogOddsEstimator SelectFdr SelectFpr SelectFromModel SelectFwe " +
  "SelectKBest SelectPercentile SelectorMixin SelfTrainingClassifier SequentialFeatureSelector " +
  "ShrunkCovariance ShuffleSplit SimpleImputer SkewedChi2Sampler SparseCoder SparseCoefMixin SparsePCA " +
  "SparseRandomProjection SpectralBiclustering SpectralClustering SpectralCoclustering " +
  "SpectralEmbedding SplineTransformer SplitInfo StackingClassifier StackingRegressor StandardScaler " +
  "StationaryKernelMixin StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit Sum TSNE " +
  "TargetEncoder TfidfTransformer TfidfVectorizer TheilSenRegressor TimeSeriesSplit " +
  "TransformedTargetRegressor TransformerMixin TreeGrower TreeNode TreePredictor TruncatedSVD " +
  "TunedThresholdClassifierCV TweedieDistribution TweedieRegressor VBGMM VarianceThreshold " +
  "VotingClassifier VotingRegressor WhiteKernel ZeroEstimator _BaseChain _BaseDiscreteNB _BaseEncoder " +
  "_BaseFilter _BaseHeterogeneousEnsemble _BaseImputer _BaseKFold _BaseKMeans _BaseNB _BaseNMF " +
  "_BasePCA _BaseRidge _BaseRidgeCV _BaseScorer _BaseSparseCoding _BaseSparsePCA _BaseStacking " +
  "_BaseVoting _BinMapper _BinaryGaussianProcessClassifierLaplace _BisectingTree _CFNode _CFSubcluster " +
  "_CVIterableWrapper _CalibratedClassifier _ConstantPredictor _CurveScorer " +
  "_GeneralizedLinearRegressor _IdentityClassifier _IdentityRegressor _MultiOutputEstimator " +
  "_MultimetricScorer _PLS _PassthroughScorer _PredictScorer _ProbaScorer _RepeatedSplits " +
  "_RidgeClassifierMixin _RidgeGCV _SGDBase _Scorer _SigmoidCalibration _SubsampleMetaSplitter " +
  "_TemperatureScaling _ThresholdScorer _UnstableArchMixin _ValidationScoreCallback _VectorizerMixin";

/** The packages with models; the others test, fetch or look up things. */
const PACKAGES =
  "base|calibration|cluster|compose|covariance|cross_decomposition|decomposition|discriminant_analysis|" +
  "dummy|ensemble|feature_extraction|feature_selection|frozen|gaussian_process|grid_search|impute|isotonic|" +
  "kernel_approximation|kernel_ridge|lda|linear_model|manifold|metrics|mixture|model_selection|multiclass|" +
  "multioutput|naive_bayes|neighbors|neural_network|pipeline|preprocessing|qda|random_projection|semi_supervised|" +
  "svm|tree|_loss|utils\\._metadata_requests";

/** Matches `module:name`. */
const SKLEARN_CLASS = new RegExp(
  `^sklearn\\.(${PACKAGES})(\\.\\w+)*:(${NAMES.split(" ").join("|")})$`,
);

/** The Cython classes of distances and of neighbour trees. */
const NEIGHBOURS =
  "sklearn\\.(metrics|neighbors)(\\.\\w+)*:(DistanceMetric|(?!PyFunc)[A-Z]\\w+Distance|BallTree|KDTree)(32|64)?";

/** Models of scikit-learn. */
export const SKLEARN_RULES: readonly Rule[] = [
  // Allocates numbers for its outputs, which are limited to a million and to the size of its array. The state is a
  // dictionary of arrays, which it checks and copies. It does not check the targets of branches, which only predicting
  // follows.
  [/^sklearn\.tree\._tree:Tree$/, { use: "call", checks: "tree", state: "tree" }],
  // Each stores a number.
  [/^sklearn\.linear_model\._sgd_fast:[A-Z]\w*$/, { use: "call", checks: "constants" }],
  [/^sklearn\._loss\._loss:Cy[A-Z]\w*$/, { use: "call", checks: "constants" }],
  // `__pyx_unpickle_CyHalfSquaredError(cls, checksum, state)` creates an object of the given class, which has to extend its
  // own, and sets C fields, which are numbers.
  [/^sklearn\._loss\._loss:__pyx_unpickle_Cy\w+$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: /^sklearn\._loss\._loss:Cy\w+$/,
  }],
  // Calls `cls.__new__(cls)`, which sets C fields to zero. The state is a tuple of arrays, each assigned to a typed field.
  [/^sklearn\.(metrics|neighbors)(\.\w+)*:newObj$/, {
    use: "call",
    checks: "class",
    state: "data",
    takes: new RegExp(`^${NEIGHBOURS}$`),
  }],
  [new RegExp(`^${NEIGHBOURS}$`), { use: "value" }],
  // Stored as the score or function that a search, a selection or a clustering computes with.
  [/^sklearn\.metrics(\.\w+)*:(\w+_(score|loss|error|ratio)|_passthrough_scorer)$/, { use: "value" }],
  [
    /^sklearn\.feature_selection\._(univariate_selection:(f_classif|f_oneway|f_regression|r_regression|chi2)|mutual_info:mutual_info_(classif|regression))$/,
    { use: "value" },
  ],
  [/^sklearn\.cluster\._kmeans:_kmeans_single_(lloyd|elkan)$/, { use: "value" }],
  // A named tuple stores its arguments, and is hashed with all of them.
  [/^sklearn\.impute\._iterative:_ImputerTriplet$/, { use: "make", takesNew: true }],
  // Its own method computes with the state as soon as it is set. The state has known names, and arrays.
  [/^sklearn\.isotonic:IsotonicRegression$/, { use: "make", state: "isotonic" }],
  // A dictionary that ignores its state and whose items are its attributes.
  [/^sklearn\.utils(\._bunch)?:Bunch$/, {
    use: "make",
    state: "attributes",
    fill: "pairs",
    hasItemsAsAttributes: true,
  }],
  // Created without a constructor; the state becomes attributes. `_sklearn_version`, which is compared and printed, has to be
  // text.
  [SKLEARN_CLASS, { use: "make" }],
];

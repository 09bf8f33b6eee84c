using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace SnapshotApi.Api.OpenApi;

/// <summary>Describes the groups of operations.</summary>
internal sealed class TagFilter : IDocumentFilter
{
    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        swaggerDoc.Tags = new HashSet<OpenApiTag>();
        foreach ((string name, string description) in ApiTags.All)
        {
            swaggerDoc.Tags.Add(new OpenApiTag { Name = name, Description = description });
        }
    }
}
